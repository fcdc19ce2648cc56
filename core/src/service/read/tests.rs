use super::*;
use crate::wire::client::{AddWatchMode, AuthInfo, WatchType};
use crate::wire::record::{Acl, Stat};
use crate::wire::txn::{TxnBody, TxnHeader};
use alloc::boxed::Box;
use alloc::{format, vec};
use bytes::Bytes;

const LINK: LinkId = LinkId(7);

fn header(zxid: i64) -> TxnHeader {
    TxnHeader { session: SessionId(1), cxid: 0, zxid: Zxid(zxid), time_ms: zxid }
}

fn create(path: &str, acl: Vec<Acl>) -> TxnBody {
    let data = Some(Bytes::from_static(b"x"));
    TxnBody::Create { v2: false, path: path.into(), data, acl, ephemeral: false, parent_cversion: -1 }
}

fn user() -> Id {
    Id { scheme: "digest".into(), id: "u:h".into() }
}

/// `/open` and `/open/c` for all, `/shut` readable by the user only, `/admin` with only ADMIN for all.
fn state() -> ReadState {
    let mut state = ReadState::default();
    let only = |perms, id| vec![Acl { perms, id }];
    let anyone = Id { scheme: "world".into(), id: "anyone".into() };
    let bodies = [
        create("/open", Acl::open()),
        create("/open/c", Acl::open()),
        create("/shut", only(perms::READ, user())),
        create("/admin", [only(perms::ADMIN, anyone), only(perms::READ, user())].concat()),
    ];
    for (body, zxid) in bodies.into_iter().zip(1..) {
        let txn = Txn { header: header(zxid), body, digest: None };
        state.apply(&txn, &mut Vec::new());
    }
    state
}

fn apply(state: &mut ReadState, zxid: i64, body: TxnBody) -> Vec<(EventKind, String)> {
    let mut fired = Vec::new();
    state.apply(&Txn { header: header(zxid), body, digest: None }, &mut fired);
    fired.into_iter().map(|(_, event)| (event.kind, event.path.to_string())).collect()
}

fn asker(auth: &[Id]) -> Asker<'_> {
    Asker { link: LINK, session: SessionId(1), auth }
}

fn list(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| path.to_string()).collect()
}

fn requests(path: &str, watch: bool) -> Vec<Request> {
    let path = || path.into();
    vec![
        Request::Exists { path: path(), watch },
        Request::GetData { path: path(), watch },
        Request::GetChildren { path: path(), watch },
        Request::GetChildren2 { path: path(), watch },
        Request::GetAcl { path: path() },
    ]
}

#[test]
fn what_is_answered() {
    let state = state();
    let stat = |path: &str| -> Stat { state.tree.stat(path).expect("there") };
    let read = |path: &str, auth: &[Id]| -> Vec<Outcome> {
        let answers = requests(path, false).into_iter().map(|request| state.answer_shared(asker(auth), &request));
        answers.map(|answer| answer.expect("no watch")).collect()
    };
    let open = stat("/open");
    let expected = vec![
        Ok(Response::Stat(open)),
        Ok(Response::Data(Some(Bytes::from_static(b"x")), open)),
        Ok(Response::Children(vec!["c".into()])),
        Ok(Response::Children2(vec!["c".into()], open)),
        Ok(Response::Acl(Acl::open(), open)),
    ];
    assert_eq!(read("/open", &[]), expected);
    assert_eq!(read("/none", &[]), vec![Err(ZkError::NoNode); 5]);
    assert_eq!(read("/shut", &[]), vec![Err(ZkError::NoAuth); 5]);
    assert!(read("/shut", &[user()]).iter().all(Result::is_ok));
    assert_eq!(read("", &[])[0], Ok(Response::Stat(stat("/"))));
    assert_eq!(read("/\0", &[])[0], Err(ZkError::BadArguments));

    let acl = |path: &str, auth: &[Id]| match &read(path, auth)[4] {
        Ok(Response::Acl(list, _)) => list.iter().map(|acl| acl.id.id.clone()).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(acl("/shut", &[user()]), ["u:x"], "without ADMIN the secret is hidden");
    assert_eq!(acl("/admin", &[]), ["anyone", "u:h"]);
    assert_eq!(state.answer_shared(asker(&[]), &Request::Ping), Some(Err(ZkError::Unimplemented)));
}

#[test]
fn what_sets_a_watch() {
    for (path, auth, sets) in [
        ("/open", vec![], [true, true, true, true, false]),
        ("/none", vec![], [true, false, false, false, false]),
        ("/shut", vec![], [false; 5]),
        ("/shut", vec![user()], [true, true, true, true, false]),
    ] {
        for (request, sets) in requests(path, true).iter().zip(sets) {
            let mut state = state();
            let shared = state.answer_shared(asker(&auth), request);
            assert_eq!(shared.is_none(), !matches!(request, Request::GetAcl { .. }), "{request:?}");
            let answer = state.answer(asker(&auth), request);
            assert_eq!(state.watches.len(), usize::from(sets), "{request:?} {:?}", answer.outcome);
            assert!(answer.events.is_empty());
        }
    }
}

#[test]
fn a_watch_fires_once_when_the_transaction_is_applied() {
    use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
    let mut state = state();
    let delete = |path: &str| TxnBody::Delete { container: false, path: path.into() };
    let set = || TxnBody::SetData { reconfig: false, path: "/open".into(), data: None, version: 1 };
    for request in [
        Request::Exists { path: "/new".into(), watch: true },
        Request::GetData { path: "/open".into(), watch: true },
        Request::GetChildren { path: "/".into(), watch: true },
        Request::GetChildren { path: "/open/c".into(), watch: true },
    ] {
        state.answer(asker(&[]), &request);
    }
    let new = || create("/new", Acl::open());
    assert_eq!(apply(&mut state, 10, new()), [(Created, "/new".into()), (ChildrenChanged, "/".into())]);
    assert_eq!(apply(&mut state, 11, set()), [(DataChanged, "/open".into())]);
    assert_eq!(apply(&mut state, 12, set()), []);
    assert_eq!(apply(&mut state, 13, delete("/open/c")), [(Deleted, "/open/c".into())]);
    assert!(state.watches.is_empty());
}

/// What setWatches does with each list, by what became of the znode (client-protocol §8.5).
#[test]
fn setting_watches_again_tells_what_was_missed() {
    use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
    // /open was created at 1, got its child at 2; /shut came at 3 and is not for everybody.
    for (relative, which, path, told, set) in [
        (0, "data", "/open", Some(DataChanged), None),
        (1, "data", "/open", None, Some(Watch::Data)),
        (1, "data", "/shut", None, None),
        (3, "data", "/shut", None, Some(Watch::Data)),
        (9, "exist", "/shut", None, None),
        (1, "child", "/shut", None, None),
        (3, "child", "/shut", None, Some(Watch::Child)),
        (9, "data", "/gone", Some(Deleted), None),
        (9, "exist", "/gone", None, Some(Watch::Data)),
        (9, "exist", "/open", Some(Created), None),
        (0, "exist", "/open", Some(Created), None),
        (1, "child", "/open", Some(ChildrenChanged), None),
        (2, "child", "/open", None, Some(Watch::Child)),
        (9, "child", "/gone", Some(Deleted), None),
        (0, "persistent", "/open", None, Some(Watch::Persistent)),
        (0, "persistent", "/gone", None, Some(Watch::Persistent)),
        (0, "recursive", "/open", None, Some(Watch::Recursive)),
        (0, "recursive", "/gone", None, Some(Watch::Recursive)),
    ] {
        let one = |list: &str| if list == which { vec![path.to_string()] } else { vec![] };
        let (relative, data, exist, child) = (Zxid(relative), one("data"), one("exist"), one("child"));
        let (persistent, recursive) = (one("persistent"), one("recursive"));
        let mut requests = vec![];
        if persistent.is_empty() && recursive.is_empty() {
            let (data, exist, child) = (data.clone(), exist.clone(), child.clone());
            requests.push(Request::SetWatches { relative, data, exist, child });
        }
        let lists = WatchLists { relative, data, exist, child, persistent, recursive };
        requests.push(Request::SetWatches2(Box::new(lists)));
        for request in requests {
            let mut state = state();
            assert_eq!(state.answer_shared(asker(&[]), &request), None);
            let answer = state.answer(asker(&[]), &request);
            assert_eq!(answer.outcome, Ok(Response::Empty));
            let expected: Vec<_> = told.into_iter().map(|kind| WatcherEvent { kind, path: path.into() }).collect();
            assert_eq!(answer.events, expected, "{relative} {which} {path}");
            let kinds = [
                (Watch::Data, WatchType::Data),
                (Watch::Child, WatchType::Children),
                (Watch::Persistent, WatchType::Persistent),
                (Watch::Recursive, WatchType::PersistentRecursive),
            ];
            for (watch, kind) in kinds {
                assert_eq!(
                    state.watches.has(LINK, path, kind),
                    set == Some(watch),
                    "{relative} {which} {path}: {kind:?}"
                );
            }
        }
    }
}

#[test]
fn the_events_of_set_watches_come_in_the_order_of_its_lists() {
    use EventKind::{Created, DataChanged, Deleted};
    let mut state = state();
    let lists = WatchLists {
        relative: Zxid(0),
        data: list(&["/open", "/gone"]),
        exist: list(&["/open/c", "/none"]),
        child: list(&["/gone", "/zookeeper"]),
        persistent: list(&["/open"]),
        recursive: list(&["/"]),
    };
    let answer = state.answer(asker(&[]), &Request::SetWatches2(Box::new(lists)));
    let told: Vec<_> = answer.events.iter().map(|event| (event.kind, &*event.path)).collect();
    assert_eq!(told, [(DataChanged, "/open"), (Deleted, "/gone"), (Created, "/open/c"), (Deleted, "/gone")]);
    assert_eq!(state.watches.len(), 5, "data of /none, children of /zookeeper, /open twice, everything");
}

#[test]
fn watches_are_added_found_and_removed() {
    let mut state = state();
    let mut ask = |request: Request| state.answer(asker(&[]), &request).outcome;
    let add = |path: &str, mode| Request::AddWatch { path: path.into(), mode };
    let check = |path: &str, kind| Request::CheckWatches { path: path.into(), kind };
    let remove = |path: &str, kind| Request::RemoveWatches { path: path.into(), kind };
    // Neither a znode nor a permission nor even a path is needed.
    for path in ["/open", "/none", "/shut", "abc", "/w/", ""] {
        assert_eq!(ask(check(path, WatchType::Any)), Err(ZkError::NoWatcher), "{path:?}");
        assert_eq!(ask(add(path, AddWatchMode::Persistent)), Ok(Response::Code(0)), "{path:?}");
        assert_eq!(ask(check(path, WatchType::Persistent)), Ok(Response::Empty), "{path:?}");
        assert_eq!(ask(check(path, WatchType::PersistentRecursive)), Err(ZkError::NoWatcher), "{path:?}");
        assert_eq!(ask(add(path, AddWatchMode::PersistentRecursive)), Ok(Response::Code(0)), "{path:?}");
        assert_eq!(ask(remove(path, WatchType::Data)), Err(ZkError::NoWatcher), "{path:?}");
        assert_eq!(ask(remove(path, WatchType::Persistent)), Ok(Response::Empty), "{path:?}");
        assert_eq!(ask(remove(path, WatchType::Any)), Ok(Response::Empty), "{path:?}");
        assert_eq!(ask(remove(path, WatchType::Any)), Err(ZkError::NoWatcher), "{path:?}");
    }
    assert!(state.watches.is_empty());
    assert_eq!(state.answer_shared(asker(&[]), &check("/", WatchType::Any)), Some(Err(ZkError::NoWatcher)));
    assert_eq!(state.answer_shared(asker(&[]), &remove("/", WatchType::Any)), None);
}

#[test]
fn descendants_are_counted() {
    let state = state();
    let all = state.tree.len() as i32 - 1;
    for (path, auth, expected) in [
        ("/", vec![], Ok(all)),
        ("", vec![], Ok(all)),
        ("/open", vec![], Ok(1)),
        ("/open/c", vec![], Ok(0)),
        ("/zookeeper", vec![], Ok(2)),
        ("/none", vec![], Err(ZkError::NoNode)),
        ("/open/", vec![], Err(ZkError::NoNode)),
        ("/shut", vec![], Err(ZkError::NoAuth)),
        ("/shut", vec![user()], Ok(0)),
    ] {
        let request = Request::GetAllChildrenNumber { path: path.into() };
        let outcome = state.answer_shared(asker(&auth), &request);
        assert_eq!(outcome, Some(expected.map(Response::Number)), "{path:?}");
    }
}

#[test]
fn ones_own_ephemerals_by_the_beginning_of_their_paths() {
    let mut state = state();
    for (zxid, path) in (10..).zip(["/e", "/e/x", "/ee", "/open/e"]) {
        let ephemeral = path != "/e";
        let (path, data, acl) = (path.into(), None, Acl::open());
        apply(&mut state, zxid, TxnBody::Create { v2: false, path, data, acl, ephemeral, parent_cversion: -1 });
    }
    let all = &["/e/x", "/ee", "/open/e"][..];
    for (prefix, expected) in [
        (None, all),
        (Some(""), all),
        (Some(" \t"), all),
        (Some("/"), all),
        (Some(" / "), all),
        (Some("/e"), &["/e/x", "/ee"]),
        (Some("/e/"), &["/e/x"]),
        (Some("e"), &[]),
        (Some(" /e"), &[]),
        (Some("/open/e/more"), &[]),
    ] {
        let request = Request::GetEphemerals { prefix: prefix.map(String::from) };
        let outcome = state.answer_shared(asker(&[]), &request);
        assert_eq!(outcome, Some(Ok(Response::Children(list(expected)))), "{prefix:?}");
    }
    let other = Asker { session: SessionId(2), ..asker(&[]) };
    let outcome = state.answer_shared(other, &Request::GetEphemerals { prefix: None });
    assert_eq!(outcome, Some(Ok(Response::Children(vec![]))));
}

#[test]
fn a_multi_read_answers_each_member_in_its_place() {
    let mut state = state();
    let get = |path: &str| Request::GetData { path: path.into(), watch: true };
    let ls = |path: &str| Request::GetChildren { path: path.into(), watch: true };
    let data = |state: &ReadState, path: &str| {
        OpResult::Data(Some(Bytes::from_static(b"x")), state.tree.stat(path).expect("there"))
    };
    for (ops, auth, expected) in [
        (vec![], vec![], vec![]),
        (
            vec![get("/none"), get("/open"), ls("/open"), get("/shut"), ls("/open/c"), ls("/none")],
            vec![],
            vec![
                OpResult::Error(ZkError::NoNode.code()),
                data(&state, "/open"),
                OpResult::Children(list(&["c"])),
                OpResult::Error(ZkError::NoAuth.code()),
                OpResult::Children(vec![]),
                OpResult::Error(ZkError::NoNode.code()),
            ],
        ),
        (vec![get("/shut")], vec![user()], vec![data(&state, "/shut")]),
    ] {
        let request = Request::MultiRead { ops };
        let answer = state.answer_shared(asker(&auth), &request).expect("no watch, whatever the flags say");
        assert_eq!(answer, Ok(Response::Multi(expected)), "{request:?}");
        state.answer(asker(&auth), &request);
        assert!(state.watches.is_empty(), "{request:?}");
    }
    let ping = Request::MultiRead { ops: vec![Request::Exists { path: "/".into(), watch: false }] };
    assert_eq!(state.answer_shared(asker(&[]), &ping), Some(Err(ZkError::MarshallingError)));
}

#[test]
fn a_multi_read_of_one_large_znode_many_times_is_refused() {
    let mut state = state();
    let large = 1 << 20;
    let data = Some(Bytes::from(vec![0; large]));
    apply(&mut state, 10, TxnBody::SetData { reconfig: false, path: "/open".into(), data, version: 1 });
    for (times, granted) in [(MULTI_READ_MAX / large, true), (MULTI_READ_MAX / large + 1, false)] {
        let ops = vec![Request::GetData { path: "/open".into(), watch: false }; times];
        let outcome = state.answer_shared(asker(&[]), &Request::MultiRead { ops }).expect("no watch");
        assert_eq!(outcome.is_ok(), granted, "{times} times");
    }
}

#[test]
fn short_names_count_in_a_multi_read_for_what_they_take() {
    let mut state = state();
    for child in 0..1000 {
        apply(&mut state, 10 + child, create(&format!("/open/c/{child:04}"), Acl::open()));
    }
    let most = MULTI_READ_MAX / (1000 * (NAME_COST + 4));
    for (times, granted) in [(most, true), (most + 1, false)] {
        let ops = vec![Request::GetChildren { path: "/open/c".into(), watch: false }; times];
        let outcome = state.answer_shared(asker(&[]), &Request::MultiRead { ops }).expect("no watch");
        assert_eq!(outcome.is_ok(), granted, "{times} times");
    }
}

/// With the list asked for each member this would take hours.
#[test]
fn a_long_list_is_asked_once_in_a_request() {
    let mut state = state();
    let other = |number: usize| Id { scheme: "digest".into(), id: format!("{number}:h") };
    let long = (0..40_000).map(|number| Acl { perms: perms::READ, id: other(number) }).collect();
    apply(&mut state, 10, create("/long", long));
    let ids: Vec<_> = (40_000..40_100).map(other).collect();
    let ops = vec![Request::GetData { path: "/long".into(), watch: false }; 20_000];
    let outcome = state.answer(asker(&ids), &Request::MultiRead { ops }).outcome;
    assert_eq!(outcome, Ok(Response::Multi(vec![OpResult::Error(ZkError::NoAuth.code()); 20_000])));
    let data = vec!["/long".to_string(); 20_000];
    let again = Request::SetWatches { relative: Zxid(0), data, exist: vec![], child: vec![] };
    assert_eq!(state.answer(asker(&ids), &again), Ok(Response::Empty).into());
}

#[test]
fn who_one_is() {
    let id = |scheme: &str, id: &str| Id { scheme: scheme.into(), id: id.into() };
    let auth = [id("ip", "::1"), id("digest", "u:hash="), id("super", ""), id("sasl", "a:b")];
    let expected = [("ip", "::1"), ("digest", "u"), ("super", ""), ("sasl", "a:b")]
        .map(|(scheme, user)| AuthInfo { scheme: scheme.into(), user: user.into() });
    let outcome = state().answer_shared(asker(&auth), &Request::WhoAmI);
    assert_eq!(outcome, Some(Ok(Response::Identities(expected.to_vec()))));
}

#[test]
fn the_configuration_is_read_and_watched_like_any_znode() {
    let mut state = state();
    state.tree.install_config(Bytes::from_static(b"version=0"), 0, 1);
    let request = Request::GetData { path: path::CONFIG.into(), watch: true };
    let answer = state.answer(asker(&[]), &request);
    assert!(matches!(answer.outcome, Ok(Response::Data(Some(text), _)) if text == "version=0"));
    let data = Some(Bytes::from_static(b"version=100000001"));
    let reconfig = TxnBody::SetData { reconfig: true, path: path::CONFIG.into(), data, version: -1 };
    assert_eq!(apply(&mut state, 10, reconfig), [(EventKind::DataChanged, path::CONFIG.into())]);
}
