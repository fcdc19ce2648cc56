//! Requests that are encoded once. Of what is sent again and again only the number in the path and the xid differ.

use bytes::{Bytes, BytesMut};
use zebu_core::rng::Rng;
use zebu_core::wire::client::{Request, request_frame};
use zebu_core::wire::op::OpCode;
use zebu_core::wire::record::Acl;

/// Digits of the number at the end of a path.
const DIGITS: usize = 9;

/// Where the path begins in a request's frame: behind length, xid, opcode and the path's own length.
const PATH: usize = 16;

/// A request's frame, to be copied with another xid and another number.
#[derive(Clone, Debug)]
pub struct Template {
    frame: Bytes,
    /// Where the number's digits end, if the path ends in a number.
    digits_end: Option<usize>,
}

impl Template {
    /// Of a request whose path is `path` and a number.
    pub fn numbered(path: &str, request: impl FnOnce(String) -> Request) -> Template {
        let path = format!("{path}{:0DIGITS$}", 0);
        let digits_end = Some(PATH + path.len());
        Template { frame: request_frame(0, &request(path)), digits_end }
    }

    /// Of a request that is always the same.
    pub fn fixed(request: &Request) -> Template {
        Template { frame: request_frame(0, request), digits_end: None }
    }

    /// Appends the request.
    pub fn put(&self, xid: i32, number: u64, out: &mut BytesMut) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let Some(frame) = out.get_mut(start..) else { return };
        if let Some(place) = frame.get_mut(4..8) {
            place.copy_from_slice(&xid.to_be_bytes());
        }
        if let Some(end) = self.digits_end
            && let Some(digits) = frame.get_mut(end - DIGITS..end)
        {
            let mut left = number;
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (left % 10) as u8;
                left /= 10;
            }
        }
    }
}

/// A numbered path, as templates write it.
pub fn numbered(path: &str, number: u64) -> String {
    format!("{path}{number:0DIGITS$}")
}

/// Bytes that can't be compressed.
pub fn value(size: usize, seed: u64) -> Bytes {
    let mut rng = Rng::new(seed);
    let words = (0..size.div_ceil(8)).flat_map(|_| rng.next_u64().to_le_bytes());
    words.take(size).collect()
}

/// A create of a persistent znode that anybody may do anything with.
pub fn create(path: String, data: Bytes) -> Request {
    Request::Create { op: OpCode::Create, path, data: Some(data), acl: Acl::open(), flags: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_what_would_have_been_encoded() {
        let request = |path: String| Request::SetData { path, data: Some(value(100, 1)), version: -1 };
        let template = Template::numbered("/bench/k", request);
        let mut out = BytesMut::new();
        for (xid, number) in [(1, 0), (77, 123_456_789), (i32::MAX, 42)] {
            out.clear();
            template.put(xid, number, &mut out);
            assert_eq!(out, request_frame(xid, &request(numbered("/bench/k", number))));
        }
        let sync = Request::Sync { path: "/".into() };
        out.clear();
        Template::fixed(&sync).put(5, 9, &mut out);
        assert_eq!(out, request_frame(5, &sync));
    }

    #[test]
    fn values_have_their_size_and_do_not_repeat() {
        for size in [0, 1, 7, 8, 100, 1024] {
            assert_eq!(value(size, 3).len(), size);
        }
        assert_ne!(value(100, 1), value(100, 2));
    }
}
