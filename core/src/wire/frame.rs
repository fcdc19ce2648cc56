//! Frames: a 32-bit length (not counting itself), then that many bytes. The client port and the election port send
//! everything in frames; the quorum port does not.

use crate::wire::jute::{DecodeError, Fault};
use bytes::{BufMut, Bytes, BytesMut};

/// Takes the first frame out of `buf`, if it is there whole: its payload without the length.
///
/// `Ok(None)` means that more bytes have to come; `buf` is then as it was. Nothing is allocated for bytes that are
/// only announced. The caller decides what an empty frame means.
///
/// # Errors
/// A length below 0 or over `max`. The stream can't be read any further then.
pub fn split_frame(buf: &mut BytesMut, max: usize) -> Result<Option<Bytes>, DecodeError> {
    let Some(head) = buf.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*head);
    let Some(size) = usize::try_from(length).ok().filter(|size| *size <= max) else {
        return Err(DecodeError::new("frame", 0, Fault::Length { length: i64::from(length), limit: max }));
    };
    if buf.len() - 4 < size {
        return Ok(None);
    }
    let mut frame = buf.split_to(4 + size);
    Ok(Some(frame.split_off(4).freeze()))
}

/// Appends a frame to `out` whose payload `write` appends.
///
/// # Panics
/// A payload of 2 GiB or more.
pub fn put_frame(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_i32(0);
    write(out);
    let size = out.len() - start - 4;
    let Ok(length) = i32::try_from(size) else { panic!("a frame of {size} bytes can't be written") };
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// A frame of its own whose payload `write` appends.
///
/// # Panics
/// As [`put_frame`].
pub fn frame(write: impl FnOnce(&mut BytesMut)) -> Bytes {
    frame_of(0, write)
}

/// As [`frame`], for a payload of about `size` bytes: memory for that many is there from the beginning.
///
/// # Panics
/// As [`put_frame`].
pub fn frame_of(size: usize, write: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::with_capacity(4 + size);
    put_frame(&mut out, write);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn limits() {
        for (bytes, want) in [
            (&[0, 0, 0][..], Ok(None)),
            (&[0, 0, 0, 3, 1, 2], Ok(None)),
            (&[0, 0, 0, 3, 1, 2, 3, 9], Ok(Some(&[1, 2, 3][..]))),
            (&[0, 0, 0, 0], Ok(Some(&[]))),
            (&[0, 0, 0, 4], Err(4)),
            (&[0xff, 0xff, 0xff, 0xff], Err(-1)),
            (&[0x7f, 0xff, 0xff, 0xff, 0], Err(0x7fff_ffff)),
        ] {
            let mut buf = BytesMut::from(bytes);
            let got = split_frame(&mut buf, 3);
            let want = want
                .map(|f: Option<&[u8]>| f.map(Bytes::copy_from_slice))
                .map_err(|length| DecodeError::new("frame", 0, Fault::Length { length, limit: 3 }));
            assert_eq!(got, want, "{bytes:?}");
            if !matches!(got, Ok(Some(_))) {
                assert_eq!(buf, bytes, "left as it was");
            }
        }
    }

    proptest! {
        #[test]
        fn any_fragmentation_gives_the_same_frames(frames: Vec<Vec<u8>>, cut in 1usize..7) {
            let mut stream = BytesMut::new();
            for payload in &frames {
                put_frame(&mut stream, |out| out.put_slice(payload));
            }
            let (mut buf, mut got) = (BytesMut::new(), Vec::new());
            for piece in stream.chunks(cut) {
                buf.extend_from_slice(piece);
                while let Some(frame) = split_frame(&mut buf, 1000).unwrap() {
                    got.push(frame.to_vec());
                }
            }
            prop_assert_eq!(got, frames);
            prop_assert!(buf.is_empty());
        }
    }
}
