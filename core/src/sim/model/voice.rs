//! What is said between one client and the servers: each answer and each event in its place.

use super::watch::{Armed, Wanted};
use super::{Asked, Counts, Finding, Past, wrong};
use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::sim::check::Rule;
use crate::wire::client::{
    AddWatchMode, AuthInfo, ConnectRequest, ConnectResponse, OpResult, Outcome, ReplyHeader, Request, RequestHeader,
    Response, WatchLists, WatcherEvent, xid,
};
use crate::wire::jute::DecodeError;
use crate::wire::op::OpCode;
use crate::wire::record::Id;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

fn missed<T>(why: String) -> Result<T, Finding> {
    Err((Rule::WatchesTellAll, why))
}

/// A client through all its connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Voice {
    session: Option<SessionId>,
    /// The highest zxid of an answer in this session.
    seen: i64,
    /// The session timeout that it was granted last.
    granted: i32,
    wanted: Wanted,
    talk: Option<Talk>,
}

/// One connection.
#[derive(Clone, Debug)]
struct Talk {
    conn: u64,
    /// The session timeout that it wishes, until it is greeted.
    wishes: Option<i32>,
    auth: Vec<Id>,
    pending: VecDeque<(i32, Request)>,
    armed: Armed,
    /// How many transactions have been held against the watches.
    followed: usize,
    /// Events of the last of them that have not come yet.
    due: Vec<WatcherEvent>,
    unordered: bool,
    /// Events that came while setWatches waits for its answer.
    early: Vec<WatcherEvent>,
    /// The zxid of the transaction that the last event was about.
    told: i64,
}

impl Voice {
    pub fn sent(&mut self, conn: u64, frame: Bytes, past: &mut Past) -> Result<(), Finding> {
        if self.talk.as_ref().is_none_or(|talk| talk.conn != conn) {
            return self.greets(conn, frame, past);
        }
        let Some(talk) = &mut self.talk else { return Ok(()) };
        let read = RequestHeader::decode(frame).and_then(|(header, body)| {
            let op = OpCode::from_code(header.op);
            Ok((header.xid, op.map(|op| Request::decode(op, body)).transpose()?))
        });
        let (number, request) = match read {
            Ok((number, Some(request))) => (number, request),
            other => return wrong(format!("it sends what is no request: {other:?}")),
        };
        match &request {
            // Answered at once, past all others.
            Request::Ping => return Ok(()),
            Request::Auth { scheme, auth } if scheme == "digest" => {
                // Whoever proves the same again is not more than before.
                let proved = digest(auth.as_deref().unwrap_or_default()).filter(|id| !talk.auth.contains(id));
                talk.auth.extend(proved);
                return Ok(());
            }
            Request::SetWatches { relative, data, exist, child } => {
                let lists = (data, exist, child);
                check_wanted(&self.wanted, self.seen, *relative, lists, (&Vec::new(), &Vec::new()))?;
            }
            Request::SetWatches2(lists) => {
                let WatchLists { relative, data, exist, child, persistent, recursive } = &**lists;
                let lists = (data, exist, child);
                check_wanted(&self.wanted, self.seen, *relative, lists, (persistent, recursive))?;
            }
            request if is_write(request) => {
                let asked = Asked { request: request.clone(), auth: talk.auth.clone(), conn };
                if let Some(session) = self.session {
                    past.asked.insert((session, number), asked);
                }
            }
            _ => {}
        }
        talk.pending.push_back((number, request));
        Ok(())
    }

    fn greets(&mut self, conn: u64, frame: Bytes, past: &mut Past) -> Result<(), Finding> {
        let hello = match ConnectRequest::decode(frame) {
            Ok(hello) => hello,
            Err(e) => return wrong(format!("it greets with what is no connect request: {e}")),
        };
        if hello.session != SessionId(0) {
            past.conns.entry(hello.session).or_default().insert(conn);
            if hello.last_zxid_seen.0 < self.seen {
                let why = format!("it says that it has seen {}, it has seen {}", hello.last_zxid_seen, Zxid(self.seen));
                return wrong(why);
            }
        }
        self.talk = Some(Talk {
            conn,
            wishes: Some(hello.timeout_ms),
            auth: alloc::vec![Id { scheme: "ip".into(), id: super::load::ADDRESS.into() }],
            pending: VecDeque::new(),
            armed: Armed::default(),
            followed: 0,
            due: Vec::new(),
            unordered: false,
            early: Vec::new(),
            told: 0,
        });
        Ok(())
    }

    pub fn received(&mut self, conn: u64, frame: Bytes, past: &mut Past, counts: &mut Counts) -> Result<(), Finding> {
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.conn == conn) else { return Ok(()) };
        let unreadable = |e: DecodeError| (Rule::AnswersAreRight, format!("it gets what is no answer: {e}"));
        if let Some(wished) = talk.wishes.take() {
            let hello = ConnectResponse::decode(frame).map_err(unreadable)?;
            if hello.timeout_ms == 0 {
                return Ok(());
            }
            // Of a session that is taken up again too, whatever it was granted before (§3.2).
            let should = match past.timeouts {
                (shortest, _) if wished < shortest => shortest,
                (_, longest) if wished > longest => longest,
                _ => wished,
            };
            if hello.timeout_ms != should {
                let why = format!("it wishes a timeout of {wished} ms and gets {}, not {should}", hello.timeout_ms);
                return wrong(why);
            }
            if Some(hello.session) != self.session {
                self.session = Some(hello.session);
                (self.seen, self.wanted) = (0, Wanted::default());
                past.conns.entry(hello.session).or_default().insert(conn);
            } else if self.granted != should {
                counts.retimed += 1;
            }
            self.granted = should;
            return Ok(());
        }
        let (header, body) = ReplyHeader::decode(frame).map_err(unreadable)?;
        if header.xid == xid::EVENT {
            let event = WatcherEvent::decode(body).map_err(unreadable)?;
            self.wanted.told(&event);
            counts.events += 1;
            return talk.event(event, header.zxid, past);
        }
        if header.xid == xid::AUTH {
            // At once, past all others (§9.2).
            return match (header.zxid.0, header.err) {
                (0, 0) => Ok(()),
                (zxid, code) => wrong(format!("its auth packet is answered {code} with {}", Zxid(zxid))),
            };
        }
        self.seen = self.seen.max(header.zxid.0);
        if header.xid == xid::PING {
            return Ok(());
        }
        let Some((number, request)) = talk.pending.pop_front() else {
            return wrong(format!("answer {} comes, but nothing was asked", header.xid));
        };
        if number != header.xid {
            return wrong(format!("answer {} comes where answer {number} is due", header.xid));
        }
        let outcome = match header.err {
            0 => Ok(Response::decode(request.op(), body).map_err(unreadable)?),
            code => Err(ZkError::from_code(code).ok_or((Rule::AnswersAreRight, format!("error {code} is none")))?),
        };
        let Some(session) = self.session else { return Ok(()) };
        talk.answer(session, number, header.zxid.0, &request, outcome.clone(), past, counts)?;
        self.wanted.registered(&request, &outcome);
        Ok(())
    }
}

/// What a client brings along to another server must be what it waits for, as of the last answer it has got.
fn check_wanted(
    wanted: &Wanted,
    seen: i64,
    relative: Zxid,
    lists: (&Vec<String>, &Vec<String>, &Vec<String>),
    lasting: (&Vec<String>, &Vec<String>),
) -> Result<(), Finding> {
    if relative.0 != seen {
        // An event is no answer: another one of the same transaction may still be due.
        let why = format!("it sets its watches as of {relative}, its last answer is of {}", Zxid(seen));
        return missed(why);
    }
    let brought = Wanted {
        data: lists.0.iter().cloned().collect(),
        exist: lists.1.iter().cloned().collect(),
        child: lists.2.iter().cloned().collect(),
        persistent: lasting.0.iter().cloned().collect(),
        recursive: lasting.1.iter().cloned().collect(),
    };
    if brought == *wanted {
        return Ok(());
    }
    missed(format!("it sets {brought:?} again, it waits for {wanted:?}"))
}

impl Talk {
    /// An event must be the next one that what was committed brings this connection.
    fn event(&mut self, event: WatcherEvent, zxid: Zxid, past: &Past) -> Result<(), Finding> {
        if matches!(self.pending.front(), Some((_, Request::SetWatches { .. } | Request::SetWatches2(_)))) {
            self.early.push(event);
            return Ok(());
        }
        while self.due.is_empty() {
            if self.followed >= past.order.len() {
                return missed(format!("it is told {event:?}, which nothing has brought about"));
            }
            self.follow(past);
        }
        let at = self.due.iter().position(|due| *due == event).filter(|at| *at == 0 || self.unordered);
        let Some(at) = at else {
            let due = Zxid(self.told);
            return missed(format!("it is told {event:?}, but of {due} it has to be told {:?} next", self.due));
        };
        if zxid.0 != -1 && zxid.0 != self.told {
            return missed(format!("it is told {event:?} of {zxid}, that was {}", Zxid(self.told)));
        }
        self.due.remove(at);
        Ok(())
    }

    /// Holds the next transaction against the watches.
    fn follow(&mut self, past: &Past) {
        let placed = &past.order[self.followed];
        self.followed += 1;
        for change in &placed.changes {
            self.due.extend(self.armed.fire(change, &self.auth));
        }
        if !self.due.is_empty() {
            (self.told, self.unordered) = (placed.zxid, placed.unordered);
        }
    }

    /// Before an answer that shows `zxid`, every event up to there must have come, and none of later ones.
    fn reach(&mut self, zxid: i64, past: &Past) -> Result<(), Finding> {
        loop {
            if !self.due.is_empty() && self.told <= zxid {
                let (due, shown) = (Zxid(self.told), Zxid(zxid));
                return missed(format!("it gets an answer of {shown}, but was not told of {due}: {:?}", self.due));
            }
            match past.order.get(self.followed) {
                Some(placed) if placed.zxid <= zxid => self.follow(past),
                _ => break,
            }
        }
        if self.told > zxid {
            let (told, shown) = (Zxid(self.told), Zxid(zxid));
            return missed(format!("it gets an answer of {shown} after it was told of {told}"));
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "everything that belongs to one answer")]
    fn answer(
        &mut self,
        session: SessionId,
        number: i32,
        zxid: i64,
        request: &Request,
        outcome: Outcome,
        past: &Past,
        counts: &mut Counts,
    ) -> Result<(), Finding> {
        counts.errors += u64::from(outcome.is_err());
        if is_write(request) {
            self.reach(zxid, past)?;
            counts.writes += 1;
            return match past.at(zxid) {
                Some(placed) if (placed.session, placed.cxid) != (session, number) => {
                    wrong(format!("{request:?} is answered with {}, which is another's", Zxid(zxid)))
                }
                Some(placed) if placed.outcome == outcome => Ok(()),
                Some(placed) => {
                    let should = &placed.outcome;
                    wrong(format!("{request:?} is answered {outcome:?} at {}, it should be {should:?}", Zxid(zxid)))
                }
                None => wrong(format!("{request:?} is answered with {}, which is not committed", Zxid(zxid))),
            };
        }
        if zxid > past.last() && Zxid(zxid).counter() != 0 {
            return wrong(format!("{request:?} shows {}, committed is {}", Zxid(zxid), Zxid(past.last())));
        }
        match request {
            Request::SetWatches { relative, data, exist, child } => {
                let (data, exist, child) = (data.clone(), exist.clone(), child.clone());
                let lists = WatchLists { relative: *relative, data, exist, child, ..WatchLists::default() };
                return self.set_again(zxid, &lists, &outcome, past, counts);
            }
            Request::SetWatches2(lists) => return self.set_again(zxid, lists, &outcome, past, counts),
            _ => {}
        }
        self.reach(zxid, past)?;
        let should = match request {
            Request::AddWatch { .. } => Ok(Response::Code(0)),
            Request::CheckWatches { path, kind } | Request::RemoveWatches { path, kind } => {
                let remove = request.op() == OpCode::RemoveWatches;
                if self.armed.find(path, *kind, remove) { Ok(Response::Empty) } else { Err(ZkError::NoWatcher) }
            }
            Request::WhoAmI => Ok(Response::Identities(shown(&self.auth))),
            request => match past.tree.read(zxid, session, &self.auth, request) {
                Some(should) => should,
                None => return wrong(format!("{request:?} is not known to the model")),
            },
        };
        let outcome = sorted(outcome);
        counts.reads += 1;
        if outcome != should {
            return wrong(format!("{request:?} is answered {outcome:?} at {}, it should be {should:?}", Zxid(zxid)));
        }
        self.register(request, &outcome);
        Ok(())
    }

    /// The watch that a read sets (§8.2).
    fn register(&mut self, request: &Request, outcome: &Outcome) {
        match request {
            Request::Exists { path, watch: true } if matches!(outcome, Ok(_) | Err(ZkError::NoNode)) => {
                self.armed.add_data(path);
            }
            Request::GetData { path, watch: true } if outcome.is_ok() => self.armed.add_data(path),
            Request::GetChildren { path, watch: true } | Request::GetChildren2 { path, watch: true }
                if outcome.is_ok() =>
            {
                self.armed.add_child(path);
            }
            Request::AddWatch { path, mode: AddWatchMode::Persistent } => self.armed.add_persistent(path),
            Request::AddWatch { path, mode: AddWatchMode::PersistentRecursive } => self.armed.add_recursive(path),
            _ => {}
        }
    }

    fn set_again(
        &mut self,
        zxid: i64,
        lists: &WatchLists,
        outcome: &Outcome,
        past: &Past,
        counts: &mut Counts,
    ) -> Result<(), Finding> {
        counts.set_again += 1;
        // Nothing was watched on this connection before: what was committed up to here is no event.
        self.followed = past.order.partition_point(|placed| placed.zxid <= zxid);
        let should = self.armed.set_again(&past.tree, zxid, lists, &self.auth);
        let told = core::mem::take(&mut self.early);
        if *outcome != Ok(Response::Empty) {
            return wrong(format!("{lists:?} is answered {outcome:?}"));
        }
        if told != should {
            let at = Zxid(zxid);
            return missed(format!("{lists:?} brings {told:?} at {at}, it should bring {should:?}"));
        }
        Ok(())
    }
}

fn is_write(request: &Request) -> bool {
    matches!(
        request,
        Request::Create { .. }
            | Request::CreateTtl { .. }
            | Request::Delete { .. }
            | Request::SetData { .. }
            | Request::SetAcl { .. }
            | Request::Multi { .. }
            | Request::CloseSession
    )
}

/// Lists of names come in no order.
fn sorted(mut outcome: Outcome) -> Outcome {
    match &mut outcome {
        Ok(Response::Children(names) | Response::Children2(names, _)) => names.sort_unstable(),
        Ok(Response::Multi(results)) => {
            for result in results {
                if let OpResult::Children(names) = result {
                    names.sort_unstable();
                }
            }
        }
        Ok(Response::Identities(who)) => who.sort_unstable_by(|a, b| (&a.scheme, &a.user).cmp(&(&b.scheme, &b.user))),
        _ => {}
    }
    outcome
}

/// Identities as whoAmI shows them: of a digest only the user (§5).
fn shown(auth: &[Id]) -> Vec<AuthInfo> {
    let user = |Id { scheme, id }: &Id| match (scheme.as_str(), id.split_once(':')) {
        ("digest", Some((user, _))) => AuthInfo { scheme: scheme.clone(), user: user.into() },
        _ => AuthInfo { scheme: scheme.clone(), user: id.clone() },
    };
    let mut shown: Vec<AuthInfo> = auth.iter().map(user).collect();
    shown.sort_unstable_by(|a, b| (&a.scheme, &a.user).cmp(&(&b.scheme, &b.user)));
    shown
}

/// The identity that a password proves (§9.2); known for the users of [`super::load`].
fn digest(auth: &[u8]) -> Option<Id> {
    let known = super::load::USERS.iter().find(|(password, _)| password.as_bytes() == auth)?;
    Some(Id { scheme: "digest".into(), id: known.1.into() })
}
