//! The barrier: as long as the znode is there, nobody goes on.

use crate::error::ZkError;
use crate::id::Zxid;
use crate::recipe::desk::{Desk, Event};
use crate::recipe::spec::{Order, Spec};
use crate::recipe::{Machine, State};
use crate::wire::client::{Request, Response, WatcherEvent};
use alloc::string::String;
use serde::Serialize;

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Barrier {
    path: String,
    waiting: bool,
    told: bool,
    stopping: bool,
}

impl Barrier {
    pub fn new(spec: &Spec) -> Barrier {
        Barrier { path: spec.path.clone(), waiting: false, told: false, stopping: false }
    }
}

impl Machine for Barrier {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        if self.stopping {
            desk.end(Event::Left);
            return None;
        }
        // Not an exists: where there is no barrier it would leave a watch behind.
        (!self.waiting).then(|| Request::GetData { path: self.path.clone(), watch: true })
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match answer {
            Ok(_) => {
                self.waiting = true;
                if !core::mem::replace(&mut self.told, true) {
                    desk.tell(Event::Waiting { behind: self.path.clone() });
                }
            }
            Err(ZkError::NoNode) => desk.end(Event::Entered),
            Err(error) => desk.fail(error),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {}

    fn on_watch(&mut self, _: &mut Desk, event: &WatcherEvent) {
        if *event.path == *self.path {
            self.waiting = false;
        }
    }

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        self.stopping |= *order == Order::Stop;
    }

    fn expired(&mut self, _: &mut Desk) {
        self.waiting = false;
    }

    fn holds(&self) -> bool {
        false
    }

    fn state(&self) -> State {
        if self.waiting { State::Waiting } else { State::Trying }
    }
}
