//! What programs build from a coordination service: locks, elections, queues, barriers. Each recipe is a deterministic
//! state machine on a client's side, without I/O: answers, watch events and turns of the session go in, requests and
//! what the application is told come out. The simulator's clients run them, and so does `zebu recipe`.
//!
//! A recipe asks one thing at a time. Whatever it is told, it looks at the znodes again before it believes anything:
//! an unanswered request, a watch that fired and a new session all lead back to a look.

mod barrier;
mod collectors;
mod config;
mod desk;
mod double_barrier;
mod election;
mod line;
mod lock;
mod membership;
mod naming;
mod queue;
mod queue_lock;
mod seat;
mod shared_lock;
mod spec;

pub use desk::{Event, Loss};
pub use spec::{Kind, Order, Spec, SpecError};

use crate::client::{Ending, RequestError};
use crate::error::ZkError;
use crate::id::{SessionId, Zxid};
use crate::recipe::desk::Desk;
use crate::rng::Rng;
use crate::time::Instant;
use crate::wire::client::{Request, Response, WatcherEvent};
use crate::wire::op::CreateMode;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask the server; the answer comes back by [`Recipe::on_answer`]. One at a time.
    Ask(Request),
    /// Tell the application.
    Tell(Event),
}

/// Where a recipe stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It has no session at the moment.
    Away,
    /// It asks its way in.
    Trying,
    /// It waits for a watch to fire.
    Waiting,
    /// It has what it wanted: lock, office, item, entry.
    Holding,
    /// It has it, but no connection: whether it still has it is not known.
    Unsure,
    /// It is up to date and watches.
    Watching,
    /// It has nothing to do until it is told something.
    Idle,
    /// It gives back what it has.
    Leaving,
    /// It is over.
    Over,
    /// A server refused something for good.
    Failed,
}

/// A recipe as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeView {
    /// Which one.
    pub kind: Kind,
    /// Its znode.
    pub path: String,
    /// Where it stands.
    pub state: State,
    /// Its own znode's name, once it has one.
    pub node: Option<String>,
    /// The fencing token, while it holds: its znode's czxid.
    pub token: Option<Zxid>,
    /// What it waits for, or what it knows: a name, a value, a list.
    pub note: Option<String>,
}

/// What distinguishes one recipe from another.
trait Machine {
    /// What to ask next; `None` to wait. Called when nothing is asked and the session is served.
    fn next(&mut self, desk: &mut Desk) -> Option<Request>;
    /// A server has answered what [`Machine::next`] asked.
    fn answered(&mut self, desk: &mut Desk, answer: Result<(Zxid, Response), ZkError>);
    /// No answer came: the request may have been carried out or not.
    fn unanswered(&mut self, desk: &mut Desk);
    /// A watch fired.
    fn on_watch(&mut self, desk: &mut Desk, event: &WatcherEvent);
    /// The application wants something.
    fn on_order(&mut self, desk: &mut Desk, order: &Order);
    /// The session may be over, nobody knows: nothing is held from now on, until a look says otherwise.
    fn doubted(&mut self, _: &mut Desk) {}
    /// The session is over, and its ephemerals with it.
    fn expired(&mut self, desk: &mut Desk);
    /// Whether the application was told that it has something, and not yet that it has not.
    fn holds(&self) -> bool;
    /// Where it stands, as long as there is a session.
    fn state(&self) -> State;
    /// Its znode's name and the fencing token.
    fn node(&self) -> Option<(&str, Option<Zxid>)> {
        None
    }
    /// What it waits for or knows.
    fn note(&self) -> Option<String> {
        None
    }
    /// When it wants to do something by itself.
    fn deadline(&self) -> Option<Instant> {
        None
    }
    /// That time has come.
    fn on_time(&mut self, _: &mut Desk) {}
}

#[derive(Clone, Debug, Serialize)]
enum Machines {
    Config(config::Config),
    Naming(naming::Naming),
    Membership(membership::Membership),
    Seat(seat::Seat),
    Line(line::Line),
    Producer(queue::Producer),
    Consumer(queue::Consumer),
    Barrier(barrier::Barrier),
    DoubleBarrier(double_barrier::DoubleBarrier),
    Collector(collectors::Collector),
    Assigner(collectors::Assigner),
}

/// Whichever machine it is.
macro_rules! any {
    ($machines:expr) => {
        match $machines {
            Machines::Config(m) => m,
            Machines::Naming(m) => m,
            Machines::Membership(m) => m,
            Machines::Seat(m) => m,
            Machines::Line(m) => m,
            Machines::Producer(m) => m,
            Machines::Consumer(m) => m,
            Machines::Barrier(m) => m,
            Machines::DoubleBarrier(m) => m,
            Machines::Collector(m) => m,
            Machines::Assigner(m) => m,
        }
    };
}

impl Machines {
    fn new(spec: &Spec, me: &str) -> Machines {
        match spec.kind {
            Kind::Config => Machines::Config(config::Config::new(spec)),
            Kind::Naming => Machines::Naming(naming::Naming::new(spec)),
            Kind::Member => Machines::Membership(membership::Membership::member(spec, me)),
            Kind::Members => Machines::Membership(membership::Membership::observer(spec)),
            Kind::Election => Machines::Seat(election::new(spec, me)),
            Kind::Lock => Machines::Seat(lock::new(spec, me)),
            Kind::QueueLock => Machines::Line(queue_lock::new(spec, me)),
            Kind::ReadLock => Machines::Line(shared_lock::reader(spec, me)),
            Kind::WriteLock => Machines::Line(shared_lock::writer(spec, me)),
            Kind::Producer => Machines::Producer(queue::Producer::new(spec)),
            Kind::Consumer => Machines::Consumer(queue::Consumer::new(spec, me)),
            Kind::Barrier => Machines::Barrier(barrier::Barrier::new(spec)),
            Kind::DoubleBarrier => Machines::DoubleBarrier(double_barrier::DoubleBarrier::new(spec, me)),
            Kind::Collector => Machines::Collector(collectors::Collector::new(spec, me)),
            Kind::Assigner => Machines::Assigner(collectors::Assigner::new(spec)),
        }
    }

    fn get(&self) -> &dyn Machine {
        any!(self)
    }

    fn get_mut(&mut self) -> &mut dyn Machine {
        any!(self)
    }
}

/// A recipe under way.
#[derive(Clone, Debug, Serialize)]
pub struct Recipe {
    spec: Spec,
    machine: Machines,
    desk: Desk,
    /// A request is under way.
    asked: bool,
    /// It makes an ancestor, not what the machine wanted.
    preparing: bool,
    served: bool,
    /// Without a connection: until when no server can have ended the session.
    trusted_until: Option<Instant>,
    /// When what is held is given back by itself.
    hold_until: Option<Instant>,
}

impl Recipe {
    /// A recipe that has not begun. `me` is what others can read of this client; `seed` makes its names unique.
    pub fn new(spec: Spec, me: &str, seed: u64) -> Recipe {
        Recipe {
            machine: Machines::new(&spec, me),
            desk: Desk::new(Rng::new(seed)),
            spec,
            asked: false,
            preparing: false,
            served: false,
            trusted_until: None,
            hold_until: None,
        }
    }

    /// What it was made of.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Whether it will never do anything again.
    pub fn is_over(&self) -> bool {
        self.desk.over
    }

    /// Whether the application may believe that it has what it wanted.
    pub fn holds(&self) -> bool {
        !self.desk.over && self.machine.get().holds()
    }

    /// The session is served; `fresh` if it is a new one.
    pub fn on_connected(&mut self, now: Instant, session: SessionId, fresh: bool, out: &mut Vec<Output>) {
        self.desk.now = now;
        if fresh && self.desk.session.is_some_and(|old| old != session) {
            self.lose_session(Loss::Expired);
        }
        self.desk.session = Some(session);
        self.served = true;
        if self.trusted_until.take().is_some() && self.holds() {
            self.desk.tell(Event::Resumed);
        }
        self.go_on(out);
    }

    /// The connection is gone. Until `trusted_until` no server can have ended the session.
    pub fn on_disconnected(&mut self, now: Instant, trusted_until: Instant, out: &mut Vec<Output>) {
        self.desk.now = now;
        self.served = false;
        self.trusted_until = Some(trusted_until);
        if self.holds() {
            self.desk.tell(Event::Suspended);
        }
        self.go_on(out);
    }

    /// The session is over. After an expiry the recipe starts again with [`Recipe::on_connected`] of another one; when
    /// the application has closed it, the recipe ends.
    pub fn on_over(&mut self, now: Instant, ending: Ending, out: &mut Vec<Output>) {
        self.desk.now = now;
        if self.desk.over {
            return;
        }
        match ending {
            Ending::Expired => self.lose_session(Loss::Expired),
            Ending::Closed | Ending::AuthFailed => {
                self.lose_session(Loss::Closed);
                self.desk.over = true;
            }
        }
        self.go_on(out);
    }

    fn lose_session(&mut self, why: Loss) {
        self.served = false;
        self.asked = false;
        self.trusted_until = None;
        self.desk.session = None;
        self.lose(why);
        self.machine.get_mut().expired(&mut self.desk);
    }

    fn lose(&mut self, why: Loss) {
        if self.holds() {
            self.hold_until = None;
            self.desk.tell(Event::Lost(why));
        }
    }

    /// The answer to what was asked.
    pub fn on_answer(&mut self, now: Instant, answer: Result<(Zxid, Response), RequestError>, out: &mut Vec<Output>) {
        self.desk.now = now;
        if !core::mem::take(&mut self.asked) || self.desk.over {
            return;
        }
        let answer = match answer {
            Ok((zxid, Response::Multi(results))) => match desk::first_error(&results) {
                Some(error) => Err(error),
                None => Ok((zxid, Response::Multi(results))),
            },
            Ok(answer) => Ok(answer),
            // Not carried out, or nobody knows: either way the znodes have to be looked at.
            Err(RequestError::Lost | RequestError::NotServed | RequestError::Over(_))
            | Err(RequestError::Refused(
                ZkError::ConnectionLoss
                | ZkError::OperationTimeout
                | ZkError::SessionMoved
                | ZkError::SessionExpired
                | ZkError::ThrottledOp,
            )) => {
                // After the session's end nothing more is asked, though the word of that end is still to come.
                self.served &= !matches!(answer, Err(RequestError::Over(_)));
                if !self.preparing {
                    self.machine.get_mut().unanswered(&mut self.desk);
                }
                self.go_on(out);
                return;
            }
            Err(RequestError::Refused(error)) => Err(error),
        };
        if self.preparing {
            self.desk.prepared(answer.map(|_| ()));
        } else {
            self.machine.get_mut().answered(&mut self.desk, answer);
        }
        self.go_on(out);
    }

    /// A watch fired.
    pub fn on_watch(&mut self, now: Instant, event: &WatcherEvent, out: &mut Vec<Output>) {
        self.desk.now = now;
        if !self.desk.over {
            self.machine.get_mut().on_watch(&mut self.desk, event);
        }
        self.go_on(out);
    }

    /// The application wants something.
    pub fn order(&mut self, now: Instant, order: &Order, out: &mut Vec<Output>) {
        self.desk.now = now;
        if !self.desk.over {
            if matches!(order, Order::Stop | Order::Done) {
                self.hold_until = None;
            }
            self.machine.get_mut().on_order(&mut self.desk, order);
        }
        self.go_on(out);
    }

    /// When [`Recipe::on_time`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        if self.desk.over {
            return None;
        }
        let doubt = self.trusted_until.filter(|_| !self.served && self.holds());
        let own = self.machine.get().deadline().filter(|_| self.served && !self.asked);
        [doubt, own, self.hold_until].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.desk.now = now;
        if self.desk.over {
            return;
        }
        if !self.served && self.trusted_until.is_some_and(|until| now >= until) && self.holds() {
            self.lose(Loss::Silence);
            self.machine.get_mut().doubted(&mut self.desk);
        }
        if self.hold_until.is_some_and(|until| now >= until) {
            self.hold_until = None;
            let order = if self.spec.kind == Kind::Consumer { Order::Done } else { Order::Stop };
            self.machine.get_mut().on_order(&mut self.desk, &order);
        }
        if self.served && !self.asked && self.machine.get().deadline().is_some_and(|at| now >= at) {
            self.machine.get_mut().on_time(&mut self.desk);
        }
        self.go_on(out);
    }

    /// Passes on what is to be told, and asks the next thing.
    fn go_on(&mut self, out: &mut Vec<Output>) {
        let request = if !self.served || self.asked || self.desk.over {
            None
        } else if let Some(path) = self.desk.to_prepare() {
            self.preparing = true;
            Some(desk::create(path.into(), "", CreateMode::Persistent))
        } else {
            self.preparing = false;
            self.machine.get_mut().next(&mut self.desk)
        };
        for event in self.desk.told.drain(..) {
            if let Some(hold) = self.spec.hold_ms
                && matches!(event, Event::Acquired { .. } | Event::Item { .. } | Event::Entered)
            {
                self.hold_until = Some(self.desk.now + Duration::from_millis(hold.into()));
            }
            out.push(Output::Tell(event));
        }
        if let Some(request) = request.filter(|_| !self.desk.over) {
            self.asked = true;
            out.push(Output::Ask(request));
        }
    }

    /// As people see it.
    pub fn view(&self) -> RecipeView {
        let machine = self.machine.get();
        let state = match machine.state() {
            _ if self.desk.failed => State::Failed,
            _ if self.desk.over => State::Over,
            _ if machine.holds() && !self.served => State::Unsure,
            _ if !self.served => State::Away,
            state => state,
        };
        let (node, token) = match machine.node() {
            Some((node, token)) => (Some(node.into()), token),
            None => (None, None),
        };
        RecipeView {
            kind: self.spec.kind,
            path: self.spec.path.clone(),
            state,
            node,
            token: token.filter(|_| self.holds()),
            note: machine.note(),
        }
    }
}

#[cfg(test)]
mod tests;
