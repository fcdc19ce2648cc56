//! Naming: an id that nobody else has, from the counter that every znode keeps for its children. The order of ids is
//! the order of transactions. After a lost answer another one is taken: an id may stay unused, it is never given twice.

use crate::error::ZkError;
use crate::id::Zxid;
use crate::recipe::desk::{self, Desk, Event};
use crate::recipe::spec::{Order, Spec};
use crate::recipe::{Machine, State};
use crate::wire::client::{Request, Response, WatcherEvent};
use crate::wire::op::CreateMode;
use alloc::string::String;
use serde::Serialize;

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Naming {
    /// What ids begin with, as a path: `/ids/order-`.
    prefix: String,
    id: Option<String>,
    stopping: bool,
}

impl Naming {
    pub fn new(spec: &Spec) -> Naming {
        Naming { prefix: spec.path.clone(), id: None, stopping: false }
    }
}

impl Machine for Naming {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        if self.stopping {
            desk.end(Event::Released);
            return None;
        }
        Some(desk::create(self.prefix.clone(), "", CreateMode::PersistentSequential))
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match answer {
            Ok((_, Response::Path(path))) => {
                let id: String = desk::name(&path).into();
                self.id = Some(id.clone());
                desk.end(Event::Named { id });
            }
            Err(ZkError::NoNode) => desk.prepare(desk::parent(&self.prefix)),
            Err(error) => desk.fail(error),
            Ok(_) => desk.fail(ZkError::MarshallingError),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {}

    fn on_watch(&mut self, _: &mut Desk, _: &WatcherEvent) {}

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        self.stopping |= *order == Order::Stop;
    }

    fn expired(&mut self, _: &mut Desk) {}

    fn holds(&self) -> bool {
        false
    }

    fn state(&self) -> State {
        State::Trying
    }

    fn node(&self) -> Option<(&str, Option<Zxid>)> {
        self.id.as_deref().map(|id| (id, None))
    }
}
