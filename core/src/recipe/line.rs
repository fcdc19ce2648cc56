//! A place in a line of ephemeral sequential znodes: what the queue-style lock and the shared lock have in common.

use crate::collections::order;
use crate::error::ZkError;
use crate::id::Zxid;
use crate::recipe::desk::{self, Desk, Event, Loss};
use crate::recipe::shared_lock::WRITE;
use crate::recipe::spec::Order;
use crate::recipe::{Machine, State};
use crate::wire::client::{EventKind, Request, Response, WatcherEvent};
use crate::wire::op::CreateMode;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// Whom one waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Behind {
    /// The nearest before.
    Everybody,
    /// The nearest writer before.
    Writers,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
enum Phase {
    /// Take a place.
    Enter,
    /// The answer to that was lost: this server has to know everything that was under way.
    Sync,
    /// Is there a znode with our unique name?
    Find,
    /// There is; its czxid is the token.
    Token(String),
    /// Who is before us?
    Look,
    /// This one. Its end will be told, if it is still there.
    Watch(String),
    /// It is still there.
    Wait(String),
    /// Nobody.
    Held,
    /// Give the place back.
    Leave,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    dir: String,
    prefix: String,
    behind: Behind,
    me: String,
    phase: Phase,
    /// Makes our znode's name unique; kept until it is known that there is none.
    guid: Option<String>,
    own: Option<(String, Zxid)>,
    stopping: bool,
}

impl Line {
    pub fn new(dir: &str, prefix: &str, behind: Behind, me: &str) -> Line {
        Line {
            dir: dir.into(),
            prefix: prefix.into(),
            behind,
            me: me.into(),
            phase: Phase::Enter,
            guid: None,
            own: None,
            stopping: false,
        }
    }

    /// The names' common beginning: role and what makes it ours.
    fn beginning(&mut self, desk: &mut Desk) -> String {
        let guid = self.guid.get_or_insert_with(|| desk.guid());
        format!("{}{guid}-", self.prefix)
    }

    fn path(&self, name: &str) -> String {
        desk::child(&self.dir, name)
    }

    fn entered(&mut self, name: String, token: Zxid) {
        self.own = Some((name, token));
        self.phase = if self.stopping { Phase::Leave } else { Phase::Look };
    }

    /// What the list of znodes means for us.
    fn look(&mut self, desk: &mut Desk, names: &[String]) {
        let Some((own, token)) = self.own.clone() else {
            self.phase = Phase::Enter;
            return;
        };
        if !names.contains(&own) {
            // Somebody removed it: at the end of the line again.
            self.own = None;
            self.guid = None;
            self.phase = Phase::Enter;
            desk.tell(Event::Lost(Loss::Deleted));
            return;
        }
        match before(names, &own, self.behind) {
            Some(name) => self.phase = Phase::Watch(name),
            None => {
                self.phase = Phase::Held;
                desk.tell(Event::Acquired { node: own, token });
            }
        }
    }
}

/// The nearest of `names` that `own` has to wait for.
fn before(names: &[String], own: &str, behind: Behind) -> Option<String> {
    let number = desk::sequence(own)?;
    let mut lower: Vec<(i64, &String)> = names
        .iter()
        .filter(|name| behind == Behind::Everybody || name.starts_with(WRITE))
        .filter_map(|name| Some((desk::sequence(name)?, name)))
        .filter(|(n, _)| *n < number)
        .collect();
    order::sort(&mut lower);
    lower.last().map(|(_, name)| (*name).clone())
}

impl Machine for Line {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        match &self.phase {
            Phase::Enter if self.stopping => {
                desk.end(Event::Released);
                None
            }
            Phase::Look | Phase::Watch(_) | Phase::Wait(_) if self.stopping => {
                self.phase = Phase::Leave;
                self.next(desk)
            }
            Phase::Enter => {
                let name = self.beginning(desk);
                Some(desk::create(self.path(&name), &self.me, CreateMode::EphemeralSequential))
            }
            Phase::Sync => Some(Request::Sync { path: self.dir.clone() }),
            Phase::Find | Phase::Look => Some(Request::GetChildren { path: self.dir.clone(), watch: false }),
            Phase::Token(name) => Some(Request::Exists { path: self.path(name), watch: false }),
            // Not an exists: of a znode that is gone it would leave a watch behind that never fires.
            Phase::Watch(name) => Some(Request::GetData { path: self.path(name), watch: true }),
            Phase::Wait(_) | Phase::Held => None,
            Phase::Leave => match &self.own {
                Some((name, _)) => Some(desk::delete(self.path(name))),
                None => {
                    desk.end(Event::Released);
                    None
                }
            },
        }
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match (self.phase.clone(), answer) {
            (Phase::Enter, Ok((zxid, Response::Path(path)))) => self.entered(desk::name(&path).into(), zxid),
            (Phase::Enter, Err(ZkError::NoNode)) => desk.prepare(&self.dir),
            (Phase::Sync, Ok(_)) => self.phase = Phase::Find,
            (Phase::Find, Ok((_, Response::Children(names)))) => {
                let beginning = self.beginning(desk);
                self.phase = match names.into_iter().find(|name| name.starts_with(&beginning)) {
                    Some(name) => Phase::Token(name),
                    None => Phase::Enter,
                };
            }
            (Phase::Sync | Phase::Find | Phase::Token(_), Err(ZkError::NoNode)) => self.phase = Phase::Enter,
            (Phase::Token(name), Ok((_, Response::Stat(stat)))) => self.entered(name, stat.czxid),
            (Phase::Look, Ok((_, Response::Children(names)))) => self.look(desk, &names),
            (Phase::Look, Err(ZkError::NoNode)) => self.look(desk, &[]),
            (Phase::Watch(name), Ok(_)) => {
                desk.tell(Event::Waiting { behind: name.clone() });
                self.phase = Phase::Wait(name);
            }
            // It went between the two requests.
            (Phase::Watch(_), Err(ZkError::NoNode)) => self.phase = Phase::Look,
            (Phase::Leave, Ok(_) | Err(ZkError::NoNode)) => {
                self.own = None;
                desk.end(Event::Released);
            }
            (_, Err(error)) => desk.fail(error),
            (_, Ok(_)) => desk.fail(ZkError::MarshallingError),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {
        match self.phase {
            Phase::Enter | Phase::Find => self.phase = Phase::Sync,
            Phase::Watch(_) => self.phase = Phase::Look,
            Phase::Sync | Phase::Token(_) | Phase::Look | Phase::Wait(_) | Phase::Held | Phase::Leave => {}
        }
    }

    fn on_watch(&mut self, _: &mut Desk, event: &WatcherEvent) {
        // The lock is not ours because the one before us is gone: there may be others before it.
        if let Phase::Wait(name) = &self.phase
            && event.kind == EventKind::Deleted
            && *event.path == *self.path(name)
        {
            self.phase = Phase::Look;
        } else if let Phase::Wait(name) = &self.phase
            && *event.path == *self.path(name)
        {
            self.phase = Phase::Watch(name.clone());
        }
    }

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        if *order == Order::Stop {
            self.stopping = true;
            if self.phase == Phase::Held {
                self.phase = Phase::Leave;
            }
        }
    }

    fn doubted(&mut self, _: &mut Desk) {
        self.phase = if self.own.is_some() { Phase::Look } else { Phase::Sync };
    }

    fn expired(&mut self, desk: &mut Desk) {
        self.own = None;
        self.guid = None;
        self.phase = Phase::Enter;
        if self.stopping {
            desk.end(Event::Released);
        }
    }

    fn holds(&self) -> bool {
        self.phase == Phase::Held
    }

    fn state(&self) -> State {
        match self.phase {
            Phase::Wait(_) => State::Waiting,
            Phase::Held => State::Holding,
            Phase::Leave => State::Leaving,
            _ => State::Trying,
        }
    }

    fn node(&self) -> Option<(&str, Option<Zxid>)> {
        self.own.as_ref().map(|(name, token)| (name.as_str(), Some(*token)))
    }

    fn note(&self) -> Option<String> {
        match &self.phase {
            Phase::Wait(name) => Some(name.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_one_waits_for() {
        let names = ["read-c-0000000003", "write-a-0000000001", "ready", "write-d-0000000005", "read-b-0000000002"]
            .map(String::from);
        for (own, behind, before_it) in [
            ("write-d-0000000005", Behind::Everybody, Some("read-c-0000000003")),
            ("read-c-0000000003", Behind::Everybody, Some("read-b-0000000002")),
            ("read-c-0000000003", Behind::Writers, Some("write-a-0000000001")),
            ("read-e-0000000009", Behind::Writers, Some("write-d-0000000005")),
            ("write-a-0000000001", Behind::Everybody, None),
        ] {
            assert_eq!(before(&names, own, behind).as_deref(), before_it, "{own} {behind:?}");
        }
    }
}
