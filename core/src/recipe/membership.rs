//! Membership: everyone who is there has an ephemeral znode, and whoever wants to know lists and watches them. Who dies
//! is gone when its session is: the timeout is how late the list may be.

use crate::collections::order;
use crate::error::ZkError;
use crate::id::Zxid;
use crate::recipe::desk::{self, Desk, Event};
use crate::recipe::spec::{Order, Spec};
use crate::recipe::{Machine, State};
use crate::wire::client::{Request, Response, WatcherEvent};
use crate::wire::op::CreateMode;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Phase {
    Join,
    /// Our name is taken: by us, or by a former session that will end?
    Whose,
    /// By another: its end will be told.
    Wait,
    List,
    Watch,
    Leave,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Membership {
    dir: String,
    /// Our name; nobody, who only looks.
    name: Option<String>,
    phase: Phase,
    joined: bool,
    names: Vec<String>,
    known: bool,
    stopping: bool,
}

impl Membership {
    /// One of them.
    pub fn member(spec: &Spec, me: &str) -> Membership {
        let name = spec.words.first().cloned().unwrap_or_else(|| me.into());
        Membership { name: Some(name), phase: Phase::Join, ..Membership::observer(spec) }
    }

    /// One who only looks.
    pub fn observer(spec: &Spec) -> Membership {
        Membership {
            dir: spec.path.clone(),
            name: None,
            phase: Phase::List,
            joined: false,
            names: Vec::new(),
            known: false,
            stopping: false,
        }
    }

    fn first(&self) -> Phase {
        if self.name.is_some() { Phase::Join } else { Phase::List }
    }

    fn own(&self) -> String {
        desk::child(&self.dir, self.name.as_deref().unwrap_or_default())
    }
}

impl Machine for Membership {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        if self.stopping && self.phase != Phase::Leave {
            if !self.joined && self.phase != Phase::Whose {
                desk.end(Event::Left);
                return None;
            }
            if self.joined {
                self.phase = Phase::Leave;
            }
        }
        match self.phase {
            Phase::Join => Some(desk::create(self.own(), "", CreateMode::Ephemeral)),
            Phase::Whose => Some(Request::GetData { path: self.own(), watch: !self.stopping }),
            Phase::List => Some(Request::GetChildren { path: self.dir.clone(), watch: true }),
            Phase::Leave => Some(desk::delete(self.own())),
            Phase::Wait | Phase::Watch => None,
        }
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match (self.phase, answer) {
            (Phase::Join, Ok(_)) => {
                self.joined = true;
                self.phase = Phase::List;
            }
            (Phase::Join, Err(ZkError::NodeExists)) => self.phase = Phase::Whose,
            (Phase::Join | Phase::List, Err(ZkError::NoNode)) => desk.prepare(&self.dir),
            (Phase::Whose, Ok((_, Response::Data(_, stat)))) => {
                self.joined = desk.is_mine(stat.ephemeral_owner);
                self.phase = if self.joined { Phase::List } else { Phase::Wait };
            }
            (Phase::Whose, Err(ZkError::NoNode)) => self.phase = Phase::Join,
            (Phase::List, Ok((_, Response::Children(mut names)))) => {
                order::sort(&mut names);
                self.phase = Phase::Watch;
                if self.joined && self.name.as_ref().is_some_and(|own| !names.contains(own)) {
                    // Somebody removed it.
                    self.joined = false;
                    self.phase = Phase::Join;
                }
                if !self.known || names != self.names {
                    self.known = true;
                    self.names.clone_from(&names);
                    desk.tell(Event::Members { names });
                }
            }
            (Phase::Leave, Ok(_) | Err(ZkError::NoNode)) => {
                self.joined = false;
                desk.end(Event::Left);
            }
            (_, Err(error)) => desk.fail(error),
            (_, Ok(_)) => desk.fail(ZkError::MarshallingError),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {
        match self.phase {
            // Created or not: the next try says NodeExists if it is ours already.
            Phase::Join | Phase::Whose => self.phase = if self.stopping { Phase::Whose } else { Phase::Join },
            Phase::List => self.phase = Phase::List,
            Phase::Wait | Phase::Watch | Phase::Leave => {}
        }
    }

    fn on_watch(&mut self, _: &mut Desk, event: &WatcherEvent) {
        match self.phase {
            Phase::Watch if *event.path == *self.dir => self.phase = Phase::List,
            Phase::Wait if *event.path == *self.own() => self.phase = Phase::Join,
            _ => {}
        }
    }

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        self.stopping |= *order == Order::Stop;
    }

    fn expired(&mut self, desk: &mut Desk) {
        self.joined = false;
        self.phase = self.first();
        if self.stopping {
            desk.end(Event::Left);
        }
    }

    fn holds(&self) -> bool {
        false
    }

    fn state(&self) -> State {
        match self.phase {
            Phase::Watch => State::Watching,
            Phase::Wait => State::Waiting,
            Phase::Leave => State::Leaving,
            _ => State::Trying,
        }
    }

    fn node(&self) -> Option<(&str, Option<Zxid>)> {
        self.name.as_deref().filter(|_| self.joined).map(|name| (name, None))
    }

    fn note(&self) -> Option<String> {
        self.known.then(|| self.names.join(", "))
    }
}
