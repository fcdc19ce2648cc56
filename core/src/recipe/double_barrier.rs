//! The double barrier: nobody begins before enough have entered, and nobody is gone before all want to leave.
//!
//! Each has an ephemeral znode beside the one called `ready`. Who finds enough of them makes `ready`; its creation is
//! what the others watch. On the way out the lowest waits for the highest and each other one for the lowest, so that a
//! departure wakes one or a few; the last takes `ready` with it.

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
    /// Is `ready` left over from a round that ended by a crash?
    First,
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
    /// How many are there.
    there: usize,
    told: bool,
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
            there: 0,
            told: false,
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
        names.sort_unstable();
        self.there = names.len();
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
            Phase::Look | Phase::Watch(_) | Phase::WaitGone | Phase::Go | Phase::Last | Phase::LastAlone
        );
        if self.stopping && !out {
            match self.phase {
                Phase::In => self.phase = Phase::Look,
                // Not in yet: it simply goes.
                _ if self.here || self.name.is_some() => self.phase = Phase::LastAlone,
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
            Phase::Ready => Some(Request::Exists { path: self.path(READY), watch: true }),
            Phase::Complete => Some(desk::create(self.path(READY), "", CreateMode::Persistent)),
            Phase::Watch(name) => Some(Request::GetData { path: self.path(name), watch: true }),
            Phase::Go | Phase::LastAlone => Some(desk::delete(self.path(self.own()))),
            Phase::Last => {
                Some(Request::Multi { ops: [self.own(), READY].map(|name| desk::delete(self.path(name))).into() })
            }
            Phase::WaitReady | Phase::In | Phase::WaitGone => None,
        }
    }

    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>) {
        match (self.phase.clone(), answer) {
            (Phase::First, Ok((_, Response::Children(names)))) => {
                let stale = names.len() == 1 && names.iter().any(|name| name == READY);
                self.phase = if stale { Phase::Clean } else { Phase::Enter };
            }
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
            (Phase::Count, Ok((_, Response::Children(names)))) => {
                self.there = names.iter().filter(|name| *name != READY).count();
                self.phase = if self.there >= self.count { Phase::Complete } else { Phase::WaitReady };
                if self.phase == Phase::WaitReady && !core::mem::replace(&mut self.told, true) {
                    desk.tell(Event::Waiting { behind: format!("{} / {}", self.there, self.count) });
                }
            }
            (Phase::Complete, Ok(_) | Err(ZkError::NodeExists)) => self.enter(desk),
            (Phase::Look, Ok((_, Response::Children(names)))) => self.look(desk, names),
            (Phase::Look, Err(ZkError::NoNode)) => desk.end(Event::Left),
            (Phase::Watch(_), Ok(_)) => self.phase = Phase::WaitGone,
            (Phase::Watch(_), Err(ZkError::NoNode)) | (Phase::Go, Ok(_) | Err(ZkError::NoNode)) => {
                self.phase = Phase::Look;
            }
            (Phase::Last, Ok(_)) => desk.end(Event::Left),
            (Phase::Last, Err(ZkError::NoNode)) => self.phase = Phase::LastAlone,
            (Phase::LastAlone, Ok(_) | Err(ZkError::NoNode)) => {
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
            Phase::Count => self.phase = Phase::Ready,
            _ => {}
        }
    }

    fn on_watch(&mut self, _: &mut Desk, event: &WatcherEvent) {
        match self.phase {
            Phase::WaitReady if *event.path == *self.path(READY) => self.phase = Phase::Ready,
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
            Phase::First | Phase::Clean | Phase::Enter | Phase::Ready | Phase::Count | Phase::Complete => State::Trying,
            Phase::WaitReady => State::Waiting,
            Phase::In => State::Holding,
            _ => State::Leaving,
        }
    }

    fn node(&self) -> Option<(&str, Option<Zxid>)> {
        self.name.as_deref().filter(|_| self.here).map(|name| (name, None))
    }

    fn note(&self) -> Option<String> {
        (self.there > 0).then(|| format!("{} / {}", self.there, self.count))
    }
}
