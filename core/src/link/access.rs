//! Who the client is: what it shows of itself, and that it has to (client-protocol §9.2).
//!
//! All of this is done at once, past whatever waits for its answer.

use super::{Link, LinkEffect};
use crate::auth::{self, TooMany, digest_md5::Reply};
use crate::effect::LinkClose;
use crate::error::ZkError;
use crate::id::Zxid;
use crate::wire::client::{ReplyHeader, Request, Response, reply_frame};
use crate::wire::frame::put_frame;
use crate::wire::op::OpCode;
use crate::wire::record::Id;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

impl Link {
    /// The client has shown to be these as well (one that it has shown before is kept once): to a driver by its
    /// certificate, to the link itself by what it sends. Beyond [`auth::MAX_IDS`] bytes of them the connection ends.
    pub fn identify(&mut self, ids: Vec<Id>, out: &mut Vec<LinkEffect>) {
        if let Err(too_many) = self.keep(ids, out) {
            self.close(LinkClose::BadRequest(too_many.to_string()), out);
        }
    }

    fn keep(&mut self, ids: Vec<Id>, out: &mut Vec<LinkEffect>) -> Result<(), TooMany> {
        if auth::add(&mut self.auth, ids)? {
            out.push(LinkEffect::Identified);
        }
        Ok(())
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
        let kept = match auth::authenticate(&self.rules, &scheme, auth.as_deref(), &self.auth) {
            Some(ids) => self.keep(ids, out).map_err(|too_many| too_many.to_string()),
            None => Err(format!("its auth packet of scheme {scheme:?} shows nobody")),
        };
        match kept {
            Ok(()) => out.push(LinkEffect::Write(reply_frame(xid, Zxid::ZERO, &Ok(Response::Empty)))),
            Err(why) => {
                out.push(LinkEffect::Write(reply_frame(xid, Zxid::ZERO, &Err(ZkError::AuthFailed))));
                self.close(LinkClose::BadRequest(why), out);
            }
        }
    }

    /// A token of SASL is answered, and ends the connection if it shows nobody (client-protocol §18). Where SASL is
    /// not spoken, and to a null token, the answer is null.
    pub(super) fn on_sasl(&mut self, xid: i32, body: Bytes, out: &mut Vec<LinkEffect>) {
        let Ok(Request::Sasl { token }) = Request::decode(OpCode::Sasl, body) else {
            return self.close(LinkClose::BadRequest("a SASL packet can't be parsed".into()), out);
        };
        let answer = |token| LinkEffect::Write(reply_frame(xid, Zxid::ZERO, &Ok(Response::Token(token))));
        let (Some(exchange), Some(users), Some(token)) = (&mut self.sasl, &self.rules.sasl_users, token) else {
            out.push(answer(None));
            return;
        };
        match exchange.respond(users, &token) {
            Ok(Reply { token, user }) => {
                let shown = user.map(|user| auth::sasl::identities(&self.rules, &user));
                if let Err(too_many) = self.keep(shown.unwrap_or_default(), out) {
                    out.push(LinkEffect::Write(failed_sasl_frame(xid, ZkError::AuthFailed)));
                    return self.close(LinkClose::BadRequest(too_many.to_string()), out);
                }
                out.push(answer(Some(token)));
            }
            Err(_) if self.rules.allow_failed_sasl && !self.rules.requires_sasl() => out.push(answer(None)),
            Err(failure) => {
                let required = self.rules.requires_sasl();
                let error = if required { ZkError::SessionClosedRequireAuth } else { ZkError::AuthFailed };
                out.push(LinkEffect::Write(failed_sasl_frame(xid, error)));
                self.close(LinkClose::BadRequest(format!("SASL: {failure}")), out);
            }
        }
    }
}

/// Unlike other errors, this one has the null token behind it (client-protocol §2).
fn failed_sasl_frame(xid: i32, error: ZkError) -> Bytes {
    let mut out = BytesMut::new();
    put_frame(&mut out, |out| {
        ReplyHeader { xid, zxid: Zxid::ZERO, err: error.code() }.encode(out);
        Response::Token(None).encode(out);
    });
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::digest_md5;
    use crate::config::{AccessRules, Secret};
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
    fn who_shows_too_many_identities_is_refused() {
        let mut link = under(AccessRules::default());
        let mut out = Vec::new();
        let packet = |user: char| Request::Auth {
            scheme: "digest".into(),
            auth: Some(format!("{}:p", user.to_string().repeat(auth::MAX_IDS / 2)).into()),
        };
        link.on_frame(frame(-4, &packet('u')), &mut out);
        assert!(!link.is_closed());
        out.clear();
        link.on_frame(frame(-4, &packet('v')), &mut out);
        let refused = written(-4, 0, ZkError::AuthFailed);
        assert!(
            matches!(&out[..], [write, LinkEffect::Close(LinkClose::BadRequest(_))] if *write == refused),
            "{out:?}"
        );
        assert_eq!(link.auth().len(), 2);
    }

    #[test]
    fn a_late_frame_does_not_get_past_authentication() {
        let rules = AccessRules { enforced: ["digest".into()].into(), ..AccessRules::default() };
        let mut link = under(rules);
        let mut out = Vec::new();
        assert!(!link.refuse_late(&frame(7, &get("/")), &mut out), "{out:?}");
        link.on_frame(auth_frame("digest", b"u:p"), &mut out);
        assert!(link.refuse_late(&frame(7, &get("/")), &mut out), "who has authenticated is told that it was late");
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

    fn token(token: Option<&[u8]>) -> Bytes {
        frame(2, &Request::Sasl { token: token.map(Bytes::copy_from_slice) })
    }

    fn answer(token: Option<&[u8]>) -> LinkEffect {
        let token = Response::Token(token.map(Bytes::copy_from_slice));
        LinkEffect::Write(reply_frame(2, Zxid::ZERO, &Ok(token)))
    }

    /// A link that has sent its challenge, and what a client with this password answers.
    fn challenged(rules: AccessRules, password: &str) -> (Link, Bytes) {
        let users = Some([("bob".to_string(), Secret::new("bobsecret"))].into());
        let link = Link::new(LinkId(1), "127.0.0.1").under(AccessRules { sasl_users: users, ..rules }.into());
        let mut link = open_link_of(link.challenging(&[7; 30]));
        let mut out = Vec::new();
        link.on_frame(token(Some(b"")), &mut out);
        let challenge = digest_md5::Server::new(&[7; 30]).respond(&Default::default(), b"").expect("begins").token;
        assert_eq!(out, [answer(Some(&challenge))]);
        let mut client = digest_md5::Client::new("bob", Secret::new(password), "cnonce");
        let said = client.respond(&challenge).expect("asked rightly").expect("an answer");
        (link, said)
    }

    #[test]
    fn sasl_shows_who_the_client_is() {
        let rules = AccessRules { sasl_supers: ["bob".into()].into(), ..AccessRules::default() };
        let (mut link, said) = challenged(rules, "bobsecret");
        let mut out = Vec::new();
        link.on_frame(token(Some(&said)), &mut out);
        assert!(matches!(&out[..], [LinkEffect::Identified, LinkEffect::Write(_)]), "{out:?}");
        let shown: Vec<_> = link.auth()[1..].iter().map(|id| (id.scheme.as_str(), id.id.as_str())).collect();
        assert_eq!(shown, [("sasl", "bob"), ("super", "")]);
    }

    #[test]
    fn failed_sasl_ends_the_connection_unless_it_may_fail() {
        let failed = |error| LinkEffect::Write(failed_sasl_frame(2, error));
        let wanted = AccessRules { enforced: ["sasl".into()].into(), ..AccessRules::default() };
        for (rules, error) in [
            (AccessRules::default(), ZkError::AuthFailed),
            (wanted.clone(), ZkError::SessionClosedRequireAuth),
            (AccessRules { allow_failed_sasl: true, ..wanted }, ZkError::SessionClosedRequireAuth),
        ] {
            let (mut link, said) = challenged(rules, "wrong");
            let mut out = Vec::new();
            link.on_frame(token(Some(&said)), &mut out);
            assert!(matches!(&out[..], [write, LinkEffect::Close(_)] if *write == failed(error)), "{out:?}");
        }
        let (mut link, said) = challenged(AccessRules { allow_failed_sasl: true, ..AccessRules::default() }, "wrong");
        let mut out = Vec::new();
        link.on_frame(token(Some(&said)), &mut out);
        assert_eq!((&out[..], link.auth().len()), (&[answer(None)][..], 1));
        let bytes = failed_sasl_frame(2, ZkError::AuthFailed);
        assert_eq!(&bytes[..], b"\0\0\0\x14\0\0\0\x02\0\0\0\0\0\0\0\0\xff\xff\xff\x8d\xff\xff\xff\xff", "as captured");
    }

    #[test]
    fn without_users_sasl_says_nothing() {
        for rules in
            [AccessRules::default(), AccessRules { sasl_users: Some(Default::default()), ..AccessRules::default() }]
        {
            let mut link = under(rules);
            let mut out = Vec::new();
            link.on_frame(token(Some(b"")), &mut out);
            assert_eq!(out, [answer(None)]);
        }
        let (mut link, _) = challenged(AccessRules::default(), "bobsecret");
        let mut out = Vec::new();
        link.on_frame(token(None), &mut out);
        assert_eq!(out, [answer(None)], "a null token");
        link.on_frame(Bytes::from_static(&[0, 0, 0, 2, 0, 0, 0, 102]), &mut out);
        assert!(matches!(&out[1..], [LinkEffect::Close(_)]), "unparsable");
    }
}
