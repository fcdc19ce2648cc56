//! The double barrier: nobody begins before enough have entered, and nobody is gone before all want to leave.
//!
//! Each has an ephemeral znode beside the one called `ready`. Who finds enough of them makes `ready`; its creation is
//! what the others watch. On the way out the lowest waits for the highest and each other one for the lowest, so that a
//! departure wakes one or a few; the last takes `ready` with it.

use crate::collections::order;
use crate::error::ZkError;
use crate::id::Zxid;
use crate::recipe::desk::{self, Desk, Event};
use crate::recipe::spec::{Order, Spec};
use crate::recipe::{Machine, State};
use crate::wire::client::{Request, Response, WatcherEvent};
use crate::wire::op::CreateMode;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

const READY: &str = "ready";

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
enum Phase {
    /// Is a round under way, or `ready` left over from one that ended by a crash?
    First,
    /// One is under way: the end of `ready` is told, if it is still there.
    Occupied,
    WaitRound,
    /// It is: away with it.
    Clean,
    /// Our znode.
    Enter,
    /// Is everybody here? `ready`, or its creation, will be told.
    Ready,
    /// Not yet told: count.
    Count,
    /// We are the one who completes it.
    Complete,
    WaitReady,
    In,
    /// We want to leave: who is still there?
    Look,
    /// This one's end is told, if it is still there.
    Watch(String),
    WaitGone,
    /// Our znode goes; the others will be waited for.
    Go,
    /// Only we are left: our znode and `ready` go together.
    Last,
    /// `ready` is gone already: only ours.
    LastAlone,
    /// We leave before it was complete, if that is still so: nobody may count us any more.
    GiveUp,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DoubleBarrier {
    dir: String,
    me: String,
    count: usize,
    /// Our znode's name.
    name: Option<String>,
    phase: Phase,
    /// Our znode is there, as far as we know.
    here: bool,
    /// Who is there.
    there: Vec<String>,
    told: bool,
    /// `ready` has come while we were counting.
    changed: bool,
    /// It was in: the application has begun.
    entered: bool,
    stopping: bool,
}

impl DoubleBarrier {
    pub fn new(spec: &Spec, me: &str) -> DoubleBarrier {
        DoubleBarrier {
            dir: spec.path.clone(),
            me: me.into(),
            count: spec.count().unwrap_or(1),
            name: None,
            phase: Phase::First,
            here: false,
            there: Vec::new(),
            told: false,
            changed: false,
            entered: false,
            stopping: false,
        }
    }

    fn own(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    fn path(&self, name: &str) -> String {
        desk::child(&self.dir, name)
    }

    fn enter(&mut self, desk: &mut Desk) {
        self.phase = Phase::In;
        self.entered = true;
        desk.tell(Event::Entered);
    }

    /// Who is still there decides what to do on the way out.
    fn look(&mut self, desk: &mut Desk, mut names: Vec<String>) {
        names.retain(|name| name != READY);
        order::sort(&mut names);
        self.there.clone_from(&names);
        let own = self.own();
        let others = || names.iter().filter(|name| *name != own);
        match (names.iter().any(|name| name == own), names.first(), others().next_back()) {
            (false, None, _) => desk.end(Event::Left),
            (true, _, None) => self.phase = Phase::Last,
            (true, Some(first), Some(highest)) if first == own => self.phase = Phase::Watch(highest.clone()),
            (true, ..) => self.phase = Phase::Go,
            (false, Some(first), _) => self.phase = Phase::Watch(first.clone()),
        }
    }
}

impl Machine for DoubleBarrier {
    fn next(&mut self, desk: &mut Desk) -> Option<Request> {
        let out = matches!(
            self.phase,
            Phase::Look
                | Phase::Watch(_)
                | Phase::WaitGone
                | Phase::Go
                | Phase::Last
                | Phase::LastAlone
                | Phase::GiveUp
        );
        if self.stopping && !out {
            match self.phase {
                Phase::In => self.phase = Phase::Look,
                _ if self.name.is_some() => self.phase = Phase::GiveUp,
                _ => {
                    desk.end(Event::Left);
                    return None;
                }
            }
        }
        match &self.phase {
            Phase::First | Phase::Count | Phase::Look => {
                Some(Request::GetChildren { path: self.dir.clone(), watch: false })
            }
            Phase::Clean => Some(desk::delete(self.path(READY))),
            Phase::Enter => {
                let me = self.me.clone();
                let name = self.name.get_or_insert_with(|| format!("{me}-{}", desk.guid())).clone();
                Some(desk::create(self.path(&name), &self.me, CreateMode::Ephemeral))
            }
            Phase::Ready => {
                self.changed = false;
                Some(Request::Exists { path: self.path(READY), watch: true })
            }
            // Only if all who were counted are still there.
            Phase::Complete => {
                let checks = self.there.iter().map(|name| Request::Check { path: self.path(name), version: -1 });
                let ready = desk::create(self.path(READY), "", CreateMode::Persistent);
                Some(Request::Multi { ops: checks.chain([ready]).collect() })
            }
            Phase::Occupied => Some(Request::GetData { path: self.path(READY), watch: true }),
            // To make `ready` for a moment fails if it is there: then we are in.
            Phase::GiveUp => {
                let ready = desk::create(self.path(READY), "", CreateMode::Persistent);
                let away = [READY, self.own()].map(|name| desk::delete(self.path(name)));
                Some(Request::Multi { ops: [ready].into_iter().chain(away).collect() })
            }
            Phase::Watch(name) => Some(Request::GetData { path: self.path(name), watch: true }),
            Phase::Go | Phase::LastAlone => Some(desk::delete(self.path(self.own()))),
            Phase::Last => {
                Some(Request::Multi { ops: [self.own(), READY].map(|name| desk::delete(self.path(name))).into() })
            }
            Phase::WaitRound | Phase::WaitReady | Phase::In | Phase::WaitGone => None,
        }
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match (self.phase.clone(), answer) {
            (Phase::First, Ok((_, Response::Children(names)))) => {
                self.phase = match (names.iter().any(|name| name == READY), names.len()) {
                    (false, _) => Phase::Enter,
                    (true, 1) => Phase::Clean,
                    (true, _) => Phase::Occupied,
                };
            }
            (Phase::Occupied, Ok(_)) => self.phase = Phase::WaitRound,
            (Phase::Occupied, Err(ZkError::NoNode)) => self.phase = Phase::First,
            (Phase::First | Phase::Enter, Err(ZkError::NoNode)) => {
                self.phase = Phase::Enter;
                desk.prepare(&self.dir);
            }
            (Phase::Clean, Ok(_) | Err(ZkError::NoNode)) => self.phase = Phase::Enter,
            (Phase::Enter, Ok(_) | Err(ZkError::NodeExists)) => {
                self.here = true;
                self.phase = Phase::Ready;
            }
            (Phase::Ready, Ok(_)) => self.enter(desk),
            (Phase::Ready, Err(ZkError::NoNode)) => self.phase = Phase::Count,
            (Phase::Count, Ok((_, Response::Children(mut names)))) => {
                names.retain(|name| name != READY);
                let there = names.len();
                self.there = names;
                self.phase = match there {
                    _ if self.changed => Phase::Ready,
                    enough if enough >= self.count => Phase::Complete,
                    _ => Phase::WaitReady,
                };
                if self.phase == Phase::WaitReady && !core::mem::replace(&mut self.told, true) {
                    desk.tell(Event::Waiting { behind: format!("{there} / {}", self.count) });
                }
            }
            // One of those who were counted is gone: others will wait for it, and so do we.
            (Phase::Complete, Err(ZkError::NoNode)) => self.phase = Phase::Ready,
            (Phase::GiveUp, Err(ZkError::NodeExists)) => self.enter(desk),
            (Phase::Complete, Ok(_) | Err(ZkError::NodeExists)) => self.enter(desk),
            (Phase::Look, Ok((_, Response::Children(names)))) => self.look(desk, names),
            (Phase::Look, Err(ZkError::NoNode)) => desk.end(Event::Left),
            (Phase::Watch(_), Ok(_)) => self.phase = Phase::WaitGone,
            (Phase::Watch(_), Err(ZkError::NoNode)) | (Phase::Go, Ok(_) | Err(ZkError::NoNode)) => {
                self.phase = Phase::Look;
            }
            (Phase::Last, Ok(_)) => desk.end(Event::Left),
            (Phase::Last, Err(ZkError::NoNode)) => self.phase = Phase::LastAlone,
            (Phase::LastAlone | Phase::GiveUp, Ok(_) | Err(ZkError::NoNode)) => {
                self.here = false;
                desk.end(Event::Left);
            }
            (_, Err(error)) => desk.fail(error),
            (_, Ok(_)) => desk.fail(ZkError::MarshallingError),
        }
    }

    fn unanswered(&mut self, _: &mut Desk) {
        // All of these may simply be asked again; what was done already says so.
        match self.phase {
            Phase::Watch(_) | Phase::Last => self.phase = Phase::Look,
            Phase::Count | Phase::Complete => self.phase = Phase::Ready,
            _ => {}
        }
    }

    fn on_watch(&mut self, _: &mut Desk, event: &WatcherEvent) {
        match self.phase {
            Phase::WaitReady if *event.path == *self.path(READY) => self.phase = Phase::Ready,
            Phase::Count if *event.path == *self.path(READY) => self.changed = true,
            Phase::WaitRound if *event.path == *self.path(READY) => self.phase = Phase::First,
            Phase::WaitGone => self.phase = Phase::Look,
            _ => {}
        }
    }

    fn on_order(&mut self, _: &mut Desk, order: &Order) {
        self.stopping |= *order == Order::Stop;
    }

    fn doubted(&mut self, _: &mut Desk) {
        self.phase = Phase::Enter;
    }

    /// Who was in has no round to come back to; who was not waits anew.
    fn expired(&mut self, desk: &mut Desk) {
        if self.stopping {
            desk.end(Event::Left);
        }
        desk.over |= self.entered;
        self.name = None;
        self.here = false;
        self.told = false;
        self.phase = Phase::First;
    }

    fn holds(&self) -> bool {
        self.phase == Phase::In
    }

    fn state(&self) -> State {
        match self.phase {
            Phase::First
            | Phase::Occupied
            | Phase::Clean
            | Phase::Enter
            | Phase::Ready
            | Phase::Count
            | Phase::Complete => State::Trying,
            Phase::WaitReady | Phase::WaitRound => State::Waiting,
            Phase::In => State::Holding,
            _ => State::Leaving,
        }
    }

    fn node(&self) -> Option<(&str, Option<Zxid>)> {
        self.name.as_deref().filter(|_| self.here).map(|name| (name, None))
    }

    fn note(&self) -> Option<String> {
        (!self.there.is_empty()).then(|| format!("{} / {}", self.there.len(), self.count))
    }
}
