//! A distributed queue. Elements are persistent sequential znodes under `items`; a consumer takes the smallest that
//! nobody works on by an ephemeral znode of the same name under `taken`, and when it has worked on it removes both in one
//! multi. A consumer that dies in between loses its claim with its session, and the element is taken again: every element
//! is worked on at least once, and none is lost.

use crate::error::ZkError;
use crate::id::Zxid;
use crate::recipe::desk::{self, Desk, Event};
use crate::recipe::spec::{Order, Spec};
use crate::recipe::{Machine, State};
use crate::wire::client::{Request, Response, WatcherEvent};
use crate::wire::op::CreateMode;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

fn items(dir: &str) -> String {
    desk::child(dir, "items")
}

fn taken(dir: &str) -> String {
    desk::child(dir, "taken")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Putting {
    Create,
    /// The answer was lost: what was under way first.
    Sync,
    /// Is there an element with our unique name?
    Find,
}

/// Puts elements in, each exactly once as long as its session lives.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Producer {
    dir: String,
    waiting: VecDeque<String>,
    phase: Putting,
    guid: Option<String>,
    last: Option<String>,
    stopping: bool,
}

impl Producer {
    pub fn new(spec: &Spec) -> Producer {
        Producer {
            dir: spec.path.clone(),
            waiting: spec.words.iter().cloned().collect(),
            phase: Putting::Create,
            guid: None,
            last: None,
            stopping: false,
        }
    }

    fn beginning(&mut self, desk: &mut Desk) -> String {
        let guid = self.guid.get_or_insert_with(|| desk.guid());
        format!("item-{guid}-")
    }

    fn put(&mut self, desk: &mut Desk, item: String) {
        self.phase = Putting::Create;
        self.guid = None;
        self.waiting.pop_front();
        self.last = Some(item.clone());
        desk.tell(Event::Put { item });
    }
}

impl Machine for Producer {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        let Some(data) = self.waiting.front().cloned() else {
            if self.stopping {
                desk.end(Event::Left);
            }
            return None;
        };
        let dir = items(&self.dir);
        Some(match self.phase {
            Putting::Create => {
                let name = self.beginning(desk);
                desk::create(desk::child(&dir, &name), &data, CreateMode::PersistentSequential)
            }
            Putting::Sync => Request::Sync { path: dir },
            Putting::Find => Request::GetChildren { path: dir, watch: false },
        })
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match (self.phase, answer) {
            (Putting::Create, Ok((_, Response::Path(path)))) => self.put(desk, desk::name(&path).into()),
            (Putting::Create, Err(ZkError::NoNode)) => desk.prepare(&items(&self.dir)),
            (Putting::Sync, Ok(_)) => self.phase = Putting::Find,
            (Putting::Find, Ok((_, Response::Children(names)))) => {
                let beginning = self.beginning(desk);
                match names.into_iter().find(|name| name.starts_with(&beginning)) {
                    Some(item) => self.put(desk, item),
                    // It was not put in, or is worked off already: the second is why it may come twice.
                    None => self.phase = Putting::Create,
                }
            }
            (Putting::Sync | Putting::Find, Err(ZkError::NoNode)) => self.phase = Putting::Create,
            (_, Err(error)) => desk.fail(error),
            (_, Ok(_)) => desk.fail(ZkError::MarshallingError),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {
        self.phase = Putting::Sync;
    }

    fn on_watch(&mut self, _: &mut Desk, _: &WatcherEvent) {}

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        match order {
            Order::Put(data) => self.waiting.push_back(data.clone()),
            Order::Stop => self.stopping = true,
            _ => {}
        }
    }

    /// Elements outlive sessions: what was under way is looked for by the next.
    fn expired(&mut self, _: &mut Desk) {
        if self.guid.is_some() {
            self.phase = Putting::Sync;
        }
    }

    fn holds(&self) -> bool {
        false
    }

    fn state(&self) -> State {
        if self.waiting.is_empty() { State::Idle } else { State::Trying }
    }

    fn node(&self) -> Option<(&str, Option<Zxid>)> {
        self.last.as_deref().map(|item| (item, None))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
enum Phase {
    /// Which elements are there?
    Items,
    /// On which of these is somebody working?
    Taken(Vec<String>),
    /// This one is free: claim it, if it is still there.
    Claim(String),
    /// The answer to that, or to the removal, was lost: what was under way first.
    Sync(String),
    /// Is the claim ours?
    Whose(String),
    /// It is: what is the element?
    Read(String),
    Wait,
    /// The application works on it.
    Work(String),
    /// It has worked on it: both go.
    Finish(String),
    /// The application wants no more: only the claim goes.
    Return(String),
}

/// Takes elements out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Consumer {
    dir: String,
    me: String,
    phase: Phase,
    /// A watch has fired since the lists were begun: they are old already.
    changed: bool,
    /// What the application works on, as text.
    data: String,
    /// The application has worked on this one.
    finished: bool,
    stopping: bool,
}

impl Consumer {
    pub fn new(spec: &Spec, me: &str) -> Consumer {
        Consumer {
            dir: spec.path.clone(),
            me: me.into(),
            phase: Phase::Items,
            changed: false,
            data: String::new(),
            finished: false,
            stopping: false,
        }
    }

    fn item(&self, name: &str) -> String {
        desk::child(&items(&self.dir), name)
    }

    fn claim(&self, name: &str) -> String {
        desk::child(&taken(&self.dir), name)
    }

    fn next_one(&mut self) {
        self.finished = false;
        self.phase = Phase::Items;
    }
}

/// The smallest that nobody works on.
fn free(mut names: Vec<String>, taken: &[String]) -> Option<String> {
    names.retain(|name| !taken.contains(name) && desk::sequence(name).is_some());
    names.into_iter().min_by_key(|name| desk::sequence(name))
}

impl Machine for Consumer {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        match &self.phase {
            Phase::Items | Phase::Taken(_) | Phase::Claim(_) | Phase::Wait if self.stopping => {
                desk.end(Event::Left);
                None
            }
            Phase::Read(name) | Phase::Work(name) if self.stopping => {
                self.phase = Phase::Return(name.clone());
                self.next(desk)
            }
            Phase::Items => {
                self.changed = false;
                Some(Request::GetChildren { path: items(&self.dir), watch: true })
            }
            Phase::Taken(_) => Some(Request::GetChildren { path: taken(&self.dir), watch: true }),
            Phase::Claim(name) => Some(Request::Multi {
                ops: [
                    Request::Check { path: self.item(name), version: -1 },
                    desk::create(self.claim(name), &self.me, CreateMode::Ephemeral),
                ]
                .into(),
            }),
            Phase::Sync(name) => Some(Request::Sync { path: self.claim(name) }),
            Phase::Whose(name) => Some(Request::Exists { path: self.claim(name), watch: false }),
            Phase::Read(name) => Some(Request::GetData { path: self.item(name), watch: false }),
            Phase::Finish(name) => {
                Some(Request::Multi { ops: [desk::delete(self.claim(name)), desk::delete(self.item(name))].into() })
            }
            Phase::Return(name) => Some(desk::delete(self.claim(name))),
            Phase::Wait | Phase::Work(_) => None,
        }
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match (self.phase.clone(), answer) {
            (Phase::Items, Ok((_, Response::Children(names)))) => self.phase = Phase::Taken(names),
            (Phase::Items, Err(ZkError::NoNode)) => desk.prepare(&items(&self.dir)),
            (Phase::Taken(names), Ok((_, Response::Children(taken)))) => {
                self.phase = match free(names, &taken) {
                    Some(name) => Phase::Claim(name),
                    None if self.changed => Phase::Items,
                    None => Phase::Wait,
                };
            }
            (Phase::Taken(_), Err(ZkError::NoNode)) => desk.prepare(&taken(&self.dir)),
            (Phase::Claim(name), Ok(_)) => self.phase = Phase::Read(name),
            // Somebody was faster.
            (Phase::Claim(_), Err(ZkError::NodeExists | ZkError::NoNode)) => self.next_one(),
            (Phase::Sync(name), Ok(_)) => self.phase = Phase::Whose(name),
            (Phase::Whose(name), Ok((_, Response::Stat(stat)))) if desk.is_mine(stat.ephemeral_owner) => {
                self.phase = if self.finished { Phase::Finish(name) } else { Phase::Read(name) };
            }
            (Phase::Whose(item), Ok(_) | Err(ZkError::NoNode)) => {
                if self.finished {
                    desk.tell(Event::Done { item });
                }
                self.next_one();
            }
            (Phase::Sync(_), Err(ZkError::NoNode)) => self.next_one(),
            (Phase::Read(item), Ok((_, Response::Data(data, _)))) => {
                self.data = desk::text(data.as_ref());
                desk.tell(Event::Item { item: item.clone(), data: data.unwrap_or_default() });
                self.phase = Phase::Work(item);
            }
            (Phase::Read(name), Err(ZkError::NoNode)) => self.phase = Phase::Return(name),
            (Phase::Finish(item), Ok(_)) => {
                desk.tell(Event::Done { item });
                self.next_one();
            }
            (Phase::Finish(name), Err(ZkError::NoNode)) => self.phase = Phase::Return(name),
            (Phase::Return(_), Ok(_) | Err(ZkError::NoNode)) => self.next_one(),
            (_, Err(error)) => desk.fail(error),
            (_, Ok(_)) => desk.fail(ZkError::MarshallingError),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {
        match &self.phase {
            Phase::Claim(name) | Phase::Whose(name) | Phase::Finish(name) => self.phase = Phase::Sync(name.clone()),
            Phase::Taken(_) => self.phase = Phase::Items,
            _ => {}
        }
    }

    fn on_watch(&mut self, _: &mut Desk, event: &WatcherEvent) {
        if [items(&self.dir), taken(&self.dir)].iter().any(|dir| **dir == *event.path) {
            self.changed = true;
            if self.phase == Phase::Wait {
                self.phase = Phase::Items;
            }
        }
    }

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        match (order, &self.phase) {
            (Order::Stop, _) => self.stopping = true,
            (Order::Done, Phase::Work(name)) => {
                self.finished = true;
                self.phase = Phase::Finish(name.clone());
            }
            _ => {}
        }
    }

    /// The claim may be ours again when a server says so; the application has stopped working on it.
    fn doubted(&mut self, _: &mut Desk) {
        if let Phase::Work(name) = &self.phase {
            self.phase = Phase::Sync(name.clone());
        }
    }

    fn expired(&mut self, desk: &mut Desk) {
        self.next_one();
        if self.stopping {
            desk.end(Event::Left);
        }
    }

    fn holds(&self) -> bool {
        matches!(self.phase, Phase::Work(_))
    }

    fn state(&self) -> State {
        match self.phase {
            Phase::Wait => State::Waiting,
            Phase::Work(_) => State::Holding,
            Phase::Finish(_) | Phase::Return(_) => State::Leaving,
            _ => State::Trying,
        }
    }

    fn node(&self) -> Option<(&str, Option<Zxid>)> {
        match &self.phase {
            Phase::Read(name) | Phase::Work(name) | Phase::Finish(name) | Phase::Return(name) => Some((name, None)),
            _ => None,
        }
    }

    fn note(&self) -> Option<String> {
        self.holds().then(|| self.data.clone())
    }
}
