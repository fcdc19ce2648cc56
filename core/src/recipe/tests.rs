//! The hard cases one by one, with answers fed by hand.

use super::*;
use crate::wire::client::{EventKind, WatcherEvent};
use crate::wire::record::Stat;
use alloc::string::ToString;
use alloc::{format, vec};
use bytes::Bytes;
use core::time::Duration;

const ME: SessionId = SessionId(5);

/// A recipe and what it said last.
struct Bench {
    recipe: Recipe,
    now: Instant,
    asked: Option<Request>,
    told: Vec<Event>,
}

impl Bench {
    fn new(line: &str) -> Bench {
        let mut bench = Bench {
            recipe: Recipe::new(line.parse().unwrap(), "A", 7),
            now: Instant(1_000_000),
            asked: None,
            told: Vec::new(),
        };
        bench.connect(true);
        bench
    }

    fn call(&mut self, call: impl FnOnce(&mut Recipe, Instant, &mut Vec<Output>)) {
        let mut out = Vec::new();
        call(&mut self.recipe, self.now, &mut out);
        for output in out {
            match output {
                Output::Ask(request) => assert_eq!(self.asked.replace(request), None, "two at a time"),
                Output::Tell(event) => self.told.push(event),
            }
        }
    }

    fn connect(&mut self, fresh: bool) {
        self.call(|recipe, now, out| recipe.on_connected(now, ME, fresh, out));
    }

    /// The request that is under way, by its name and path.
    fn asks(&mut self) -> (&'static str, String) {
        let request = self.asked.as_ref().expect("nothing is asked");
        (crate::client::line::name(request), crate::client::line::label(request))
    }

    fn answer(&mut self, answer: Result<Response, RequestError>) {
        assert!(self.asked.take().is_some(), "nothing is asked");
        self.call(|recipe, now, out| recipe.on_answer(now, answer.map(|r| (Zxid(9), r)), out));
    }

    fn refuse(&mut self, error: ZkError) {
        self.answer(Err(RequestError::Refused(error)));
    }

    fn lose_connection(&mut self) {
        let until = self.now + Duration::from_secs(2);
        self.call(|recipe, now, out| recipe.on_disconnected(now, until, out));
        if self.asked.take().is_some() {
            self.call(|recipe, now, out| recipe.on_answer(now, Err(RequestError::Lost), out));
        }
    }

    fn deleted(&mut self, path: &str) {
        let event = WatcherEvent { kind: EventKind::Deleted, path: path.into() };
        self.call(|recipe, now, out| recipe.on_watch(now, &event, out));
    }

    fn told(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.told)
    }
}

fn names(list: &[&str]) -> Result<Response, RequestError> {
    Ok(Response::Children(list.iter().map(ToString::to_string).collect()))
}

fn data(owner: SessionId, text: &'static str) -> Result<Response, RequestError> {
    let stat = Stat { czxid: Zxid(4), ephemeral_owner: owner.0, ..Stat::default() };
    Ok(Response::Data(Some(Bytes::from_static(text.as_bytes())), stat))
}

/// Our znode's path without the number, from the create that is under way.
fn beginning(bench: &Bench) -> String {
    match &bench.asked {
        Some(Request::Create { path, .. }) => path.clone(),
        other => panic!("{other:?}"),
    }
}

/// The connection breaks during the create: it is found by its unique name and not made twice.
#[test]
fn a_lost_create_is_found_again() {
    for (line, found) in [("queue-lock /locks", true), ("queue-lock /locks", false), ("write-lock /locks", true)] {
        let mut bench = Bench::new(line);
        let path = beginning(&bench);
        bench.lose_connection();
        assert_eq!(bench.asked, None, "without a connection nothing is asked");
        bench.connect(false);
        assert_eq!(bench.asks(), ("sync", "/locks".into()));
        bench.answer(Ok(Response::Path("/locks".into())));
        assert_eq!(bench.asks(), ("ls", "/locks".into()));
        let name = format!("{}0000000003", desk::name(&path));
        if found {
            bench.answer(names(&["lock-0-0000000001", &name]));
            assert_eq!(bench.asks(), ("stat", format!("/locks/{name}")));
            bench.answer(Ok(Response::Stat(Stat { czxid: Zxid(4), ..Stat::default() })));
            bench.answer(names(&[&name]));
            assert_eq!(bench.told(), [Event::Acquired { node: name, token: Zxid(4) }]);
        } else {
            bench.answer(names(&["lock-0-0000000001"]));
            assert_eq!(beginning(&bench), path, "the same name again");
        }
    }
}

/// The one before us dies, but it had somebody before it.
#[test]
fn a_successor_of_the_dead_does_not_take_the_lock() {
    let mut bench = Bench::new("queue-lock /locks");
    let own = format!("{}0000000003", beginning(&bench));
    bench.answer(Ok(Response::Path(own.clone())));
    let own = desk::name(&own).to_string();
    bench.answer(names(&["lock-a-0000000001", "lock-b-0000000002", &own]));
    assert_eq!(bench.asks(), ("get", "/locks/lock-b-0000000002".into()));
    bench.answer(data(SessionId(2), ""));
    bench.deleted("/locks/lock-b-0000000002");
    bench.answer(names(&["lock-a-0000000001", &own]));
    assert_eq!(bench.asks(), ("get", "/locks/lock-a-0000000001".into()));
    // It went before it could be watched: look again.
    bench.refuse(ZkError::NoNode);
    bench.answer(names(&[&own]));
    assert_eq!(
        bench.told(),
        [Event::Waiting { behind: "lock-b-0000000002".into() }, Event::Acquired { node: own.clone(), token: Zxid(9) }]
    );
    // Removed by an operator while the connection was away and nobody could tell: the silence ends the belief.
    bench.lose_connection();
    bench.now = bench.now + Duration::from_secs(3);
    bench.call(|recipe, now, out| recipe.on_time(now, out));
    assert_eq!(bench.told(), [Event::Suspended, Event::Lost(Loss::Silence)]);
    assert!(!bench.recipe.holds());
    bench.connect(false);
    bench.answer(names(&["lock-a-0000000007"]));
    assert_eq!(bench.told(), [Event::Lost(Loss::Deleted)]);
    assert_ne!(desk::name(&beginning(&bench)), own, "at the end of the line again, by another name");
}

/// One znode: taken, freed between two requests, lost in between, given back only if it is ours.
#[test]
fn a_seat_and_its_races() {
    let mut bench = Bench::new("election /a/boss");
    bench.refuse(ZkError::NoNode);
    assert_eq!(bench.asks(), ("create", "/a".into()));
    bench.answer(Ok(Response::Path("/a".into())));
    bench.refuse(ZkError::NodeExists);
    assert_eq!(bench.asks(), ("get", "/a/boss".into()));
    bench.refuse(ZkError::NoNode);
    bench.refuse(ZkError::NodeExists);
    bench.answer(data(SessionId(8), "B"));
    assert_eq!(bench.told(), [Event::Waiting { behind: "B".into() }]);
    assert_eq!(bench.asked, None);
    bench.deleted("/a/boss");
    assert_eq!(bench.asks().0, "create");
    // The answer is lost, but it was carried out.
    bench.lose_connection();
    bench.connect(false);
    assert_eq!(bench.asks().0, "sync");
    bench.answer(Ok(Response::Path("/a/boss".into())));
    bench.answer(data(ME, "A"));
    assert_eq!(bench.told(), [Event::Acquired { node: "/a/boss".into(), token: Zxid(4) }]);
    // Somebody took it by force: it is not ours to delete.
    bench.call(|recipe, now, out| recipe.order(now, &Order::Stop, out));
    bench.answer(data(SessionId(8), "B"));
    assert_eq!(bench.told(), [Event::Released]);
    assert!(bench.recipe.is_over());
}

/// The session expires: lost, and with a new session everything begins again.
#[test]
fn an_expired_session_loses_and_begins_again() {
    for line in ["lock /lock", "queue-lock /lock", "read-lock /lock", "election /lock"] {
        let mut bench = Bench::new(line);
        let path = format!("{}0000000001", beginning(&bench));
        bench.answer(Ok(Response::Path(path.clone())));
        if bench.asked.is_some() {
            bench.answer(names(&[desk::name(&path)]));
        }
        assert!(bench.recipe.holds(), "{line}");
        bench.told();
        bench.lose_connection();
        bench.call(|recipe, now, out| recipe.on_over(now, Ending::Expired, out));
        assert_eq!(bench.told(), [Event::Suspended, Event::Lost(Loss::Expired)], "{line}");
        bench.call(|recipe, now, out| recipe.on_connected(now, SessionId(6), true, out));
        assert_eq!(bench.asks().0, "create", "{line}");
        assert_eq!(bench.told(), [], "{line}");
    }
}

/// A claim is only worth something as long as the element is there, and both go together.
#[test]
fn an_element_is_claimed_worked_on_and_removed() {
    let mut bench = Bench::new("consumer /q");
    bench.answer(names(&["item-x-0000000002", "item-y-0000000001", "item-z-0000000000"]));
    bench.answer(names(&["item-z-0000000000"]));
    // Somebody else was faster with the smallest that was free.
    bench.answer(Ok(Response::Multi(vec![
        crate::wire::client::OpResult::Error(ZkError::NoNode.code()),
        crate::wire::client::OpResult::Error(ZkError::RuntimeInconsistency.code()),
    ])));
    bench.answer(names(&["item-x-0000000002"]));
    bench.answer(names(&[]));
    bench.answer(Ok(Response::Multi(vec![])));
    bench.answer(data(SessionId(0), "job"));
    let item = "item-x-0000000002".to_string();
    assert_eq!(bench.told(), [Event::Item { item: item.clone(), data: Bytes::from_static(b"job") }]);
    bench.call(|recipe, now, out| recipe.order(now, &Order::Done, out));
    // The answer to the removal is lost; the claim is gone, so it was carried out.
    bench.lose_connection();
    bench.connect(false);
    assert_eq!(bench.asks().0, "sync");
    bench.answer(Ok(Response::Path("/q/taken".into())));
    bench.refuse(ZkError::NoNode);
    assert_eq!(bench.told(), [Event::Done { item }]);
    assert_eq!(bench.asks(), ("ls", "/q/items".into()));
}

/// What a server refuses for good ends the recipe with its reason; what is only delayed does not.
#[test]
fn refusals() {
    for (error, fails) in [
        (ZkError::NoAuth, true),
        (ZkError::NotReadOnly, true),
        (ZkError::ThrottledOp, false),
        (ZkError::SessionMoved, false),
    ] {
        for kind in Kind::ALL {
            let mut bench = Bench::new(kind.example());
            bench.refuse(error);
            assert_eq!(bench.recipe.is_over(), fails, "{kind} {error:?}");
            assert_eq!(bench.told(), if fails { vec![Event::Failed { error }] } else { vec![] }, "{kind}");
        }
    }
}
