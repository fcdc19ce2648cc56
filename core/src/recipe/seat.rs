//! One ephemeral znode that only one session can own: what the exclusive lock and the election have in common. All who
//! find it taken watch it, and all are told when it is gone.

use crate::error::ZkError;
use crate::id::Zxid;
use crate::recipe::desk::{self, Desk, Event};
use crate::recipe::spec::Order;
use crate::recipe::{Machine, State};
use crate::wire::client::{EventKind, Request, Response, WatcherEvent};
use crate::wire::op::CreateMode;
use alloc::string::String;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Phase {
    /// Create it.
    Try,
    /// An answer was lost: before a look at the znode, this server has to know everything that was under way.
    Sync,
    /// Whose is it? Its end will be told.
    Look,
    /// It is somebody else's.
    Wait,
    /// It is ours.
    Held,
    /// It is to be given back: is it really ours?
    Check,
    /// It is ours, and goes.
    Leave,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Seat {
    path: String,
    /// What the others can read there.
    me: String,
    phase: Phase,
    token: Option<Zxid>,
    /// Who sits there.
    holder: Option<String>,
    stopping: bool,
}

impl Seat {
    pub fn new(path: &str, me: &str) -> Seat {
        Seat { path: path.into(), me: me.into(), phase: Phase::Try, token: None, holder: None, stopping: false }
    }

    fn taken(&mut self, desk: &mut Desk, token: Zxid) {
        self.token = Some(token);
        self.holder = None;
        if self.stopping {
            self.phase = Phase::Leave;
        } else {
            self.phase = Phase::Held;
            desk.tell(Event::Acquired { node: self.path.clone(), token });
        }
    }
}

impl Machine for Seat {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        match self.phase {
            Phase::Try | Phase::Wait if self.stopping => {
                desk.end(Event::Released);
                None
            }
            Phase::Try => Some(desk::create(self.path.clone(), &self.me, CreateMode::Ephemeral)),
            Phase::Sync => Some(Request::Sync { path: self.path.clone() }),
            Phase::Look => Some(Request::GetData { path: self.path.clone(), watch: !self.stopping }),
            Phase::Check => Some(Request::GetData { path: self.path.clone(), watch: false }),
            Phase::Leave => Some(desk::delete(self.path.clone())),
            Phase::Wait | Phase::Held => None,
        }
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match (self.phase, answer) {
            (Phase::Try, Ok((zxid, _))) => self.taken(desk, zxid),
            (Phase::Try, Err(ZkError::NodeExists)) => self.phase = Phase::Look,
            (Phase::Try, Err(ZkError::NoNode)) => desk.prepare(desk::parent(&self.path)),
            (Phase::Sync, Ok(_)) => self.phase = Phase::Look,
            (Phase::Look, Ok((_, Response::Data(_, stat)))) if desk.is_mine(stat.ephemeral_owner) => {
                self.taken(desk, stat.czxid);
            }
            (Phase::Look, Ok((_, Response::Data(data, _)))) => {
                let holder = desk::text(data.as_ref());
                if !self.stopping {
                    desk.tell(Event::Waiting { behind: holder.clone() });
                }
                self.holder = Some(holder);
                self.phase = Phase::Wait;
            }
            // It went between the two requests.
            (Phase::Look, Err(ZkError::NoNode)) => self.phase = Phase::Try,
            (Phase::Check, Ok((_, Response::Data(_, stat)))) if desk.is_mine(stat.ephemeral_owner) => {
                self.phase = Phase::Leave;
            }
            (Phase::Check, Ok(_) | Err(ZkError::NoNode)) | (Phase::Leave, Ok(_) | Err(ZkError::NoNode)) => {
                self.token = None;
                desk.end(Event::Released);
            }
            (_, Err(error)) => desk.fail(error),
            (_, Ok(_)) => desk.fail(ZkError::MarshallingError),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {
        match self.phase {
            Phase::Try | Phase::Look => self.phase = Phase::Sync,
            // What was to go is looked at once more: it may have gone, and be somebody else's by now.
            Phase::Leave => self.phase = Phase::Check,
            Phase::Sync | Phase::Wait | Phase::Held | Phase::Check => {}
        }
    }

    fn on_watch(&mut self, _: &mut Desk, event: &WatcherEvent) {
        if self.phase == Phase::Wait && *event.path == *self.path {
            self.phase = if event.kind == EventKind::Deleted { Phase::Try } else { Phase::Look };
        }
    }

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        if *order == Order::Stop {
            self.stopping = true;
            if self.phase == Phase::Held {
                self.phase = Phase::Check;
            }
        }
    }

    fn doubted(&mut self, _: &mut Desk) {
        self.token = None;
        self.phase = Phase::Sync;
    }

    fn expired(&mut self, desk: &mut Desk) {
        self.token = None;
        self.holder = None;
        self.phase = Phase::Try;
        if self.stopping {
            desk.end(Event::Released);
        }
    }

    fn holds(&self) -> bool {
        self.phase == Phase::Held
    }

    fn state(&self) -> State {
        match self.phase {
            Phase::Try | Phase::Sync | Phase::Look => State::Trying,
            Phase::Wait => State::Waiting,
            Phase::Held => State::Holding,
            Phase::Check | Phase::Leave => State::Leaving,
        }
    }

    fn node(&self) -> Option<(&str, Option<Zxid>)> {
        self.token.map(|token| (desk::name(&self.path), Some(token)))
    }

    fn note(&self) -> Option<String> {
        self.holder.clone().filter(|_| self.phase == Phase::Wait)
    }
}
