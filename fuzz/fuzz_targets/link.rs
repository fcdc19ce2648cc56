//! A whole client connection: frames in, answers out, with a tree behind it that carries out what is asked. Whatever
//! comes, each answer is a frame, in turn, and a connection that was ended says no more.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use std::collections::VecDeque;
use zebu_core::effect::ToLink;
use zebu_core::id::{LinkId, SessionId, Zxid};
use zebu_core::input::Submission;
use zebu_core::link::{Link, LinkEffect};
use zebu_core::service::read::{Asker, ReadState};
use zebu_core::service::{Prep, PrepRequest, password};
use zebu_core::wire::client::{ConnectResponse, Outcome, ReplyHeader, Request, Response};
use zebu_core::wire::frame::split_frame;
use zebu_core::wire::jute::MAX_FRAME;
use zebu_core::wire::op::OpCode;
use zebu_core::wire::record::Id;
use zebu_core::wire::txn::TxnHeader;

const LINK: LinkId = LinkId(1);
const SESSION: SessionId = SessionId(0x0100_0000_0000_0001);

struct Server {
    link: Link,
    state: ReadState,
    prep: Prep,
    zxid: i64,
    answers: usize,
}

impl Server {
    fn frame(&mut self, frame: Bytes) {
        let mut out = Vec::new();
        self.link.on_frame(frame, &mut out);
        let mut effects = VecDeque::from(out);
        while let Some(effect) = effects.pop_front() {
            let mut out = Vec::new();
            match effect {
                LinkEffect::Write(bytes) => self.look_at(bytes),
                LinkEffect::Submit(submission) => self.submit(submission, &mut out),
                LinkEffect::Read { xid, request } => {
                    let asker = Asker { link: LINK, session: SESSION, auth: self.link.auth() };
                    let answer = self.state.answer(asker, &request);
                    self.link.on_read(xid, Zxid(self.zxid), answer.outcome, answer.events, &mut out);
                }
                LinkEffect::Identified => self.state.watches.set_auth(LINK, self.link.auth()),
                LinkEffect::Close(_) => {
                    assert!(self.link.is_closed() && effects.is_empty(), "nothing follows a close");
                }
            }
            effects.extend(out);
        }
    }

    fn look_at(&mut self, bytes: Bytes) {
        let mut buf = BytesMut::from(&bytes[..]);
        while let Some(frame) = split_frame(&mut buf, usize::MAX).expect("our own frame") {
            self.answers += 1;
            if self.answers > 1 {
                ReplyHeader::decode(frame).expect("a header");
            }
        }
        assert!(buf.is_empty(), "whole frames only");
    }

    /// A request becomes a transaction and is applied; its events go out before its answer.
    fn carry_out(&mut self, xid: i32, request: PrepRequest, auth: &[Id], out: &mut Vec<LinkEffect>) -> Outcome {
        self.zxid += 1;
        let header = TxnHeader { session: SESSION, cxid: xid, zxid: Zxid(self.zxid), time_ms: self.zxid };
        let txn = self.prep.prepare(&self.state.tree, header, auth, request);
        let mut fired = Vec::new();
        let applied = self.state.apply(&txn, &mut fired);
        assert!(!applied.diverged, "the foretold digest is wrong");
        for (link, event) in fired {
            assert_eq!(link, LINK);
            self.link.on_server(ToLink::Event(event), out);
        }
        applied.outcome
    }

    fn submit(&mut self, submission: Submission, out: &mut Vec<LinkEffect>) {
        match submission {
            Submission::Connect(request) => {
                self.carry_out(0, PrepRequest::CreateSession { timeout_ms: 4000 }, &[], out).expect("a session");
                let passwd = Bytes::copy_from_slice(&password(SESSION));
                let read_only = request.read_only.map(|_| false);
                let response = ConnectResponse { timeout_ms: 4000, session: SESSION, passwd, read_only };
                self.link.on_server(ToLink::Connected(response), out);
            }
            Submission::Write { xid, op, body, auth, .. } => {
                let request = match Request::decode(op, body) {
                    Ok(Request::CloseSession) => PrepRequest::CloseSession,
                    Ok(request) => PrepRequest::Client(request),
                    Err(_) => PrepRequest::Refused(zebu_core::error::ZkError::MarshallingError),
                };
                assert_ne!(op, OpCode::CreateSession);
                let outcome = self.carry_out(xid, request, &auth, out);
                self.link.on_server(ToLink::Reply { xid, zxid: Zxid(self.zxid), outcome }, out);
            }
            Submission::Sync { xid, path, .. } => {
                let outcome = Ok(Response::Path(path));
                self.link.on_server(ToLink::Reply { xid, zxid: Zxid(self.zxid), outcome }, out);
            }
            _ => {}
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut server = Server {
        link: Link::new(LINK, "127.0.0.1"),
        state: ReadState::default(),
        prep: Prep::new(true),
        zxid: 0,
        answers: 0,
    };
    let mut buf = BytesMut::from(data);
    while let Ok(Some(frame)) = split_frame(&mut buf, MAX_FRAME) {
        server.frame(frame);
        if server.link.is_closed() {
            break;
        }
    }
    let before = server.answers;
    if server.link.is_closed() {
        server.frame(Bytes::from_static(&[0, 0, 0, 1, 0, 0, 0, 11]));
        assert_eq!(server.answers, before, "an ended connection says no more");
    }
});
