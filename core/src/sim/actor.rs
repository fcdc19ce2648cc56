//! A simulated client: the real client session with a person (or a load) behind it, who tries another server when a
//! connection breaks.

use crate::client::{Client, Ending};
use crate::collections::BTreeMap;
use crate::id::ServerId;
use crate::recipe::Recipe;
use crate::sim::command::ClientId;
use crate::sim::view::{ClientView, Talk};
use crate::time::Instant;
use crate::wire::client::Request;
use alloc::collections::VecDeque;
use alloc::string::String;
use serde::Serialize;

/// How many exchanges a client remembers for people.
const TALK_MAX: usize = 20;

/// A client and what it is about to do.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Actor {
    pub id: ClientId,
    pub client: Client,
    /// The server it is connected to or tries to reach.
    pub home: ServerId,
    pub conn: Option<u64>,
    /// Counts dials, so that an old one is recognised.
    pub attempt: u32,
    /// It will never do anything again.
    pub dead: bool,
    /// Typed and not sent yet: it waits for a connection.
    pub waiting: VecDeque<(Request, String)>,
    /// Sent and not answered yet, by number.
    pub lines: BTreeMap<i32, String>,
    pub talk: VecDeque<TalkEntry>,
    /// Frozen by command.
    pub paused: bool,
    /// How a dial went that was decided meanwhile.
    pub dialled: Option<(u64, bool)>,
    /// Cut off by command.
    pub cut: bool,
    pub recipe: Option<Recipe>,
    /// The number of the recipe's request that is under way.
    pub recipe_xid: Option<i32>,
    timer: Option<Instant>,
}

/// One exchange, with the number that finds it when the answer comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TalkEntry {
    pub xid: Option<i32>,
    pub talk: Talk,
}

impl Actor {
    pub fn new(id: ClientId, home: ServerId, wished_ms: i32) -> Actor {
        Actor {
            id,
            client: Client::new(wished_ms),
            home,
            conn: None,
            attempt: 0,
            dead: false,
            waiting: VecDeque::new(),
            lines: BTreeMap::new(),
            talk: VecDeque::new(),
            paused: false,
            dialled: None,
            cut: false,
            recipe: None,
            recipe_xid: None,
            timer: None,
        }
    }

    /// When the session has something to do.
    pub fn timer(&self) -> Option<Instant> {
        self.timer
    }

    /// Looks at the deadlines of session and recipe again; to be called after everything that touches them.
    pub fn set_timer(&mut self) {
        let session = self.conn.and_then(|_| self.client.deadline());
        let recipe = self.recipe.as_ref().and_then(Recipe::deadline);
        let first = [session, recipe].into_iter().flatten().min();
        self.timer = first.filter(|_| !self.dead && !self.paused);
    }

    /// Whether it can look for a server.
    pub fn may_dial(&self) -> bool {
        !self.is_over() && !self.paused && !self.cut && self.conn.is_none()
    }

    /// Whether it can still do something.
    pub fn is_over(&self) -> bool {
        self.dead || self.client.ending().is_some()
    }

    /// Remembers what was asked.
    pub fn asked(&mut self, xid: Option<i32>, line: String) {
        self.remember(TalkEntry { xid, talk: Talk { line, answer: None, failed: false, event: false } });
    }

    /// Remembers an event.
    pub fn told(&mut self, line: String) {
        self.remember(TalkEntry {
            xid: None,
            talk: Talk { line, answer: Some(String::new()), failed: false, event: true },
        });
    }

    fn remember(&mut self, entry: TalkEntry) {
        while self.talk.len() >= TALK_MAX {
            self.talk.pop_front();
        }
        self.talk.push_back(entry);
    }

    /// A typed line got its number: it was sent.
    pub fn numbered(&mut self, xid: i32) {
        if let Some(entry) = self.talk.iter_mut().find(|e| e.xid.is_none() && e.talk.answer.is_none()) {
            entry.xid = Some(xid);
        }
    }

    /// An answer to the request of this number (or to whatever was not sent yet, without one).
    pub fn answered(&mut self, xid: Option<i32>, answer: String, failed: bool) {
        if let Some(entry) = self.talk.iter_mut().find(|e| e.xid == xid && e.talk.answer.is_none()) {
            entry.talk.answer = Some(answer);
            entry.talk.failed = failed;
        }
    }

    /// As people see it.
    pub fn view(&self) -> ClientView {
        ClientView {
            id: self.id,
            server: (!self.is_over()).then_some(self.home),
            connected: self.client.is_served() && !self.dead,
            session: self.client.session(),
            ended: self.is_over(),
            paused: self.paused && !self.is_over(),
            cut: self.cut && !self.is_over(),
            recipe: self.recipe.as_ref().filter(|_| !self.dead).map(Recipe::view),
            waiting: self.talk.iter().find(|e| e.talk.answer.is_none()).map(|e| e.talk.line.clone()),
            talk: self.talk.iter().map(|e| e.talk.clone()).collect(),
        }
    }
}

/// In words, for a request that the session's end left behind.
pub(crate) fn ending_text(ending: Ending) -> &'static str {
    match ending {
        Ending::Expired => "the session has expired",
        Ending::Closed => "the session is closed",
        Ending::AuthFailed => "authentication failed",
    }
}
