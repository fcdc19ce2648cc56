//! Configuration push: a znode's data, read again whenever it has changed. A watch says that it changed, not to what:
//! two quick changes are one event and one value, the last.

use crate::error::ZkError;
use crate::id::Zxid;
use crate::recipe::desk::{self, Desk, Event};
use crate::recipe::spec::{Order, Spec};
use crate::recipe::{Machine, State};
use crate::wire::client::{Request, Response, WatcherEvent};
use alloc::string::String;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Phase {
    Read,
    /// There is none yet: its creation will be told.
    Exists,
    Watch,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Config {
    path: String,
    phase: Phase,
    /// What the application was told, with the change it comes from.
    known: Option<(Zxid, String)>,
    told_none: bool,
    stopping: bool,
}

impl Config {
    pub fn new(spec: &Spec) -> Config {
        Config { path: spec.path.clone(), phase: Phase::Read, known: None, told_none: false, stopping: false }
    }
}

impl Machine for Config {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        match self.phase {
            _ if self.stopping => {
                desk.end(Event::Released);
                None
            }
            Phase::Read => Some(Request::GetData { path: self.path.clone(), watch: true }),
            Phase::Exists => Some(Request::Exists { path: self.path.clone(), watch: true }),
            Phase::Watch => None,
        }
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match (self.phase, answer) {
            (Phase::Read, Ok((_, Response::Data(data, stat)))) => {
                self.phase = Phase::Watch;
                self.told_none = false;
                if self.known.as_ref().is_none_or(|(mzxid, _)| *mzxid != stat.mzxid) {
                    self.known = Some((stat.mzxid, desk::text(data.as_ref())));
                    desk.tell(Event::Value { data: Some(data.unwrap_or_default()), version: stat.version });
                }
            }
            (Phase::Read, Err(ZkError::NoNode)) => self.phase = Phase::Exists,
            (Phase::Exists, Err(ZkError::NoNode)) => {
                self.phase = Phase::Watch;
                self.known = None;
                if !core::mem::replace(&mut self.told_none, true) {
                    desk.tell(Event::Value { data: None, version: -1 });
                }
            }
            // It came between the two requests.
            (Phase::Exists, Ok(_)) => self.phase = Phase::Read,
            (_, Err(error)) => desk.fail(error),
            (_, Ok(_)) => desk.fail(ZkError::MarshallingError),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {
        self.phase = Phase::Read;
    }

    fn on_watch(&mut self, _: &mut Desk, event: &WatcherEvent) {
        if *event.path == *self.path && self.phase == Phase::Watch {
            self.phase = Phase::Read;
        }
    }

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        self.stopping |= *order == Order::Stop;
    }

    fn expired(&mut self, _: &mut Desk) {
        self.phase = Phase::Read;
    }

    fn holds(&self) -> bool {
        false
    }

    fn state(&self) -> State {
        if self.phase == Phase::Watch { State::Watching } else { State::Trying }
    }

    fn note(&self) -> Option<String> {
        self.known.as_ref().map(|(_, value)| value.clone())
    }
}
