//! Who the client is: what it shows of itself, and that it has to (client-protocol §9.2).
//!
//! All of this is done at once, past whatever waits for its answer.

use super::{Link, LinkEffect};
use crate::auth;
use crate::effect::LinkClose;
use crate::error::ZkError;
use crate::id::Zxid;
use crate::wire::client::{Request, Response, reply_frame};
use crate::wire::op::OpCode;
use crate::wire::record::Id;
use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;

impl Link {
    /// The client has shown to be these as well (one that it has shown before is kept once): to a driver by its
    /// certificate, to the link itself by what it sends.
    pub fn identify(&mut self, ids: Vec<Id>, out: &mut Vec<LinkEffect>) {
        if auth::add(&mut self.auth, ids) {
            out.push(LinkEffect::Identified);
        }
    }

    /// Ends a connection that asks for something before it has shown what it must.
    pub(super) fn refuses_stranger(&mut self, xid: i32, op: i32, out: &mut Vec<LinkEffect>) -> bool {
        let shows = op == OpCode::Auth.code() || op == OpCode::Sasl.code();
        if shows || auth::is_welcome(&self.rules, &self.auth) {
            return false;
        }
        out.push(LinkEffect::Write(reply_frame(xid, Zxid::ZERO, &Err(ZkError::SessionClosedRequireAuth))));
        let wanted = self.rules.enforced.iter().map(|scheme| scheme.as_str()).collect::<Vec<_>>().join(" or ");
        self.close(LinkClose::BadRequest(format!("it has not authenticated by {wanted}")), out);
        true
    }

    /// An auth packet shows an identity, or ends the connection.
    pub(super) fn on_auth(&mut self, xid: i32, body: Bytes, out: &mut Vec<LinkEffect>) {
        let Ok(Request::Auth { scheme, auth }) = Request::decode(OpCode::Auth, body) else {
            return self.close(LinkClose::BadRequest("an auth packet can't be parsed".into()), out);
        };
        match auth::authenticate(&self.rules, &scheme, auth.as_deref(), &self.auth) {
            Some(ids) => {
                self.identify(ids, out);
                out.push(LinkEffect::Write(reply_frame(xid, Zxid::ZERO, &Ok(Response::Empty))));
            }
            None => {
                out.push(LinkEffect::Write(reply_frame(xid, Zxid::ZERO, &Err(ZkError::AuthFailed))));
                self.close(LinkClose::BadRequest(format!("its auth packet of scheme {scheme:?} shows nobody")), out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AccessRules;
    use crate::link::tests::{frame, get, open_link_of};
    use crate::link::{LinkId, State};

    fn auth_frame(scheme: &str, auth: &'static [u8]) -> Bytes {
        frame(-4, &Request::Auth { scheme: scheme.into(), auth: Some(Bytes::from_static(auth)) })
    }

    fn under(rules: AccessRules) -> Link {
        open_link_of(Link::new(LinkId(1), "127.0.0.1").under(rules.into()))
    }

    fn written(xid: i32, zxid: i64, error: ZkError) -> LinkEffect {
        LinkEffect::Write(reply_frame(xid, Zxid(zxid), &Err(error)))
    }

    #[test]
    fn each_auth_packet_adds_once() {
        let mut link = under(AccessRules::default());
        let ok = LinkEffect::Write(reply_frame(-4, Zxid::ZERO, &Ok(Response::Empty)));
        for (scheme, auth, is_new, ids) in [
            ("ip", &b"9.9.9.9"[..], false, 1),
            ("digest", b"u:p", true, 2),
            ("digest", b"u:p", false, 2),
            ("digest", b"v:p", true, 3),
        ] {
            let mut out = Vec::new();
            link.on_frame(auth_frame(scheme, auth), &mut out);
            let told = [LinkEffect::Identified, ok.clone()];
            let expected = if is_new { &told[..] } else { &told[1..] };
            assert_eq!((&out[..], link.auth().len()), (expected, ids), "{scheme}");
        }
    }

    #[test]
    fn a_packet_that_shows_nobody_is_answered_and_an_unparsable_one_is_not() {
        let mut out = Vec::new();
        let mut link = under(AccessRules::default());
        link.on_frame(auth_frame("sasl", b"bob"), &mut out);
        assert!(matches!(&out[..], [write, LinkEffect::Close(_)] if *write == written(-4, 0, ZkError::AuthFailed)));

        out.clear();
        let mut link = under(AccessRules::default());
        link.on_frame(Bytes::from_static(&[0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 9]), &mut out);
        assert!(matches!(&out[..], [LinkEffect::Close(LinkClose::BadRequest(_))]), "{out:?}");
    }

    #[test]
    fn whoever_must_authenticate_is_served_only_then() {
        let rules = AccessRules { enforced: ["digest".into()].into(), ..AccessRules::default() };
        let requests = [Request::Ping, get("/"), Request::CloseSession, Request::WhoAmI];
        for request in &requests {
            let mut out = Vec::new();
            let mut link = under(rules.clone());
            link.on_frame(frame(7, request), &mut out);
            let refused = written(7, 0, ZkError::SessionClosedRequireAuth);
            assert!(matches!(&out[..], [write, LinkEffect::Close(_)] if *write == refused), "{request:?} {out:?}");
            assert!(link.state == State::Closed);
        }
        let mut out = Vec::new();
        let mut link = under(rules);
        link.on_frame(auth_frame("digest", b"u:p"), &mut out);
        for request in &requests {
            link.on_frame(frame(7, request), &mut out);
        }
        assert!(!out.iter().any(|effect| matches!(effect, LinkEffect::Close(_))), "{out:?}");
    }
}
