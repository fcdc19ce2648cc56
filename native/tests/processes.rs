//! Whole servers as processes, spoken to in bytes.

mod bench;
mod common;

use common::{Client, Ensemble, connect, copy_files, send_garbage, wait_for};
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use zebu_core::error::ZkError;
use zebu_core::wire::client::{Request, Response};
use zebu_core::wire::op::OpCode;
use zebu_core::wire::record::Acl;

#[test]
fn killed_and_started_again_in_every_way_nothing_acknowledged_is_lost() {
    let mut ensemble = Ensemble::new(3, "snapCount=20\n");
    ensemble.start();
    let mut acknowledged = BTreeSet::new();
    let mut number = 0;
    let mut write = |ensemble: &Ensemble, through: usize, count: usize| {
        let mut client = ensemble.servers[through].client();
        let mut done = 0;
        while done < count {
            number += 1;
            let path = format!("/n{number}");
            match client.create(&path, &path) {
                Some(Ok(_)) => {
                    done += 1;
                    acknowledged.insert(path);
                }
                Some(Err(e)) => panic!("{path}: {e}"),
                None => client = ensemble.servers[through].client(),
            }
        }
    };
    write(&ensemble, 0, 30);
    for round in 0..4 {
        let leader = ensemble.leader();
        let other = (leader + 1) % 3;
        ensemble.servers[leader].kill();
        write(&ensemble, other, 15);
        ensemble.servers[leader].start();
        ensemble.all_serve();
        if round % 2 == 1 {
            ensemble.servers.iter_mut().for_each(|s| s.kill());
            ensemble.start();
        }
        write(&ensemble, leader, 10);
    }
    for server in &ensemble.servers {
        let mut client = server.client();
        for path in &acknowledged {
            assert_eq!(client.read(path).as_ref(), Some(path), "at server {}", server.id);
        }
    }
    let logs: String = ensemble.servers.iter().map(common::Server::log).collect();
    assert!(logs.contains("snapshot of"), "snapshots were made on the way");
    assert!(!logs.contains("by a thread"), "a process makes them: {logs}");
    assert!(!logs.contains("ERROR") && !logs.contains("panicked"), "{logs}");
}

#[test]
fn nonsense_on_every_port_ends_that_connection_and_nothing_else() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start();
    let leader = ensemble.leader();
    let mut witness = ensemble.servers[leader].client();
    let noise: Vec<u8> = (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    // What follows a form and an id as the first message on the election port.
    let claims = |sid: i64| [(-65536i64).to_be_bytes(), sid.to_be_bytes()].concat();
    for at in [leader, (leader + 1) % 3] {
        let server = &ensemble.servers[at];
        for port in [server.client_port, server.quorum_port, server.election_port] {
            for bytes in [&noise[..], &noise[..3], &[0; 64], &[0xff; 64], b"GET / HTTP/1.1\r\n\r\n"] {
                send_garbage(port, bytes);
            }
        }
        for sid in [99, server.id as i64, -1, i64::MAX, i64::MIN] {
            let address = b"127.0.0.1:1";
            let hello = [&claims(sid)[..], &(address.len() as u32).to_be_bytes(), address].concat();
            assert_eq!(
                send_garbage(server.election_port, &hello),
                Vec::<u8>::new(),
                "nobody is greeted who is not listed"
            );
        }
        assert!(server.log().contains("server 99, which zoo.cfg does not list"), "{}", server.log());
        assert!(server.log().contains("which is this server; do two servers have the same myid?"));
    }
    assert!(matches!(witness.create("/unharmed", "x"), Some(Ok(_))), "the connection that was there before");
    assert_eq!(ensemble.leader(), leader, "nobody had to be elected anew");
    for server in &ensemble.servers {
        assert_eq!(server.client().read("/unharmed").as_deref(), Some("x"));
    }
}

#[test]
fn frames_of_a_client_are_measured_and_pipelined_ones_kept_in_order() {
    let mut ensemble = Ensemble::new(1, "jute.maxbuffer=2048\nmaxClientCnxns=3\nnio.sessionlessCnxnTimeout=1000\n");
    ensemble.start();
    let server = &ensemble.servers[0];
    assert_eq!(server.mode().as_deref(), Some("standalone"));
    let mut client = server.client();
    assert!(matches!(client.create("/fits", &"x".repeat(1900)), Some(Ok(_))));
    assert_eq!(client.create("/too-long", &"x".repeat(2100)), None, "the connection ends");
    assert!(server.log().contains("jute.maxbuffer"), "{}", server.log());

    let mut client = server.client();
    let set = |n: i32| Request::SetData { path: "/fits".into(), data: Some(n.to_string().into()), version: n };
    let get = Request::GetData { path: "/fits".into(), watch: false };
    for n in 0..200 {
        client.send(&set(n)).expect("sent");
        client.send(&get).expect("sent");
    }
    let mut last = zebu_core::id::Zxid::ZERO;
    for n in 0..200 {
        let (xid, zxid, written) = client.receive().expect("an answer");
        assert!(written.is_ok() && xid == 2 * n + 1 && zxid > last);
        last = zxid;
        let (_, zxid, read) = client.receive().expect("an answer");
        let Ok(Response::Data(Some(data), _)) = Response::decode(OpCode::GetData, read.expect("there")) else {
            panic!()
        };
        assert_eq!(
            (String::from_utf8_lossy(&data).into_owned(), zxid),
            (n.to_string(), last),
            "its own write, no later"
        );
    }

    // The fourth connection from one address is closed at once, and a silent one after a while.
    drop(client);
    wait_for("the old connections to end", || server.ask("stat").filter(|s| s.contains("Connections: 1\n")));
    let mut silent: Vec<_> = (0..3).map(|_| connect(server.client_port).expect("accepted")).collect();
    wait_for("the fourth to be refused", || server.ask("ruok").filter(String::is_empty).or(Some(String::new())));
    for stream in &mut silent {
        assert_eq!(stream.read(&mut [0; 8]).expect("closed cleanly"), 0, "without a session it is ended");
    }
    assert_eq!(server.ask("ruok").as_deref(), Some("imok"));
    assert!(server.log().contains("maxClientCnxns"), "{}", server.log());
}

#[test]
fn apaches_data_is_taken_over_and_a_clean_stop_keeps_everything() {
    let mut ensemble = Ensemble::new(1, "");
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/vectors");
    let files = [
        ("txnlog/standalone-log.1", "log.1"),
        ("txnlog/standalone-log.1e", "log.1e"),
        ("snapshot/standalone-snapshot.0", "snapshot.0"),
        ("snapshot/standalone-snapshot.1d", "snapshot.1d"),
    ];
    copy_files(&vectors, &files, &ensemble.servers[0].dir.join("version-2"));
    ensemble.start();
    let server = &mut ensemble.servers[0];
    let mut client = server.client();
    let get = Request::GetData { path: "/after".into(), watch: false };
    let before = client.ask(OpCode::GetData, &get).expect("an answer");
    assert!(matches!(before, Ok(Response::Data(..))), "{before:?}");
    assert!(matches!(client.create("/by-zebu", "1"), Some(Ok(_))));
    assert_eq!(client.create("/by-zebu", "1"), Some(Err(ZkError::NodeExists)));
    let old_session = client.session.clone();
    assert!(server.stop().success(), "{}", server.log());
    assert!(server.log().contains("stopped"));
    assert_eq!(client.create("/late", ""), None, "the connection was ended");

    server.start();
    ensemble.all_serve();
    let server = &mut ensemble.servers[0];
    let mut again = Client::connect(server.client_port, Some(&old_session)).expect("the session outlives a restart");
    assert_eq!(again.session.session, old_session.session);
    assert_eq!(again.read("/by-zebu").as_deref(), Some("1"));
    assert_eq!(again.ask(OpCode::GetData, &get), Some(before));
    let owner = Request::Create { op: OpCode::Create, path: "/mine".into(), data: None, acl: Acl::open(), flags: 1 };
    assert!(matches!(again.ask(OpCode::Create, &owner), Some(Ok(_))));
    assert!(matches!(again.ask(OpCode::CloseSession, &Request::CloseSession), Some(Ok(_))));
    let mut other = server.client();
    assert_eq!(other.read("/mine"), None, "an ephemeral ends with its session");
    assert_eq!(server.log().matches("ERROR").count(), 0, "{}", server.log());
}

#[test]
fn four_letter_words_have_apaches_form() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start();
    let leader = ensemble.leader();
    let labels = |text: &str, end: char| -> Vec<String> {
        text.lines().filter_map(|l| l.split_once(end)).map(|(label, _)| label.to_string()).collect()
    };
    let statistics =
        ["Latency min/avg/max", "Received", "Sent", "Connections", "Outstanding", "Zxid", "Mode", "Node count"];
    for (at, server) in ensemble.servers.iter().enumerate() {
        let srvr = server.ask("srvr").expect("an answer");
        let mut expected = vec!["Zookeeper version"];
        expected.extend(statistics);
        expected.extend((at == leader).then_some("Proposal sizes last/min/max"));
        assert_eq!(labels(&srvr, ':'), expected);
        let zxid = srvr.lines().find_map(|l| l.strip_prefix("Zxid: 0x")).expect("a zxid");
        let epoch = i64::from_str_radix(zxid, 16).expect("hexadecimal") >> 32;
        assert_eq!(epoch, i64::from(at == leader), "a new leader stands at its epoch's beginning");
        let conf = server.ask("conf").expect("an answer");
        let keys = [
            "clientPort",
            "secureClientPort",
            "dataDir",
            "dataDirSize",
            "dataLogDir",
            "dataLogSize",
            "tickTime",
            "maxClientCnxns",
            "minSessionTimeout",
            "maxSessionTimeout",
            "clientPortListenBacklog",
            "serverId",
            "initLimit",
            "syncLimit",
            "electionAlg",
            "electionPort",
            "quorumPort",
            "peerType",
            "server.1",
            "server.2",
            "server.3",
            "version",
        ];
        assert_eq!(labels(&conf, '='), keys);
        assert!(conf.contains("\nmembership: \nserver.1=127.0.0.1:") && conf.ends_with("version=0"), "{conf}");
        assert_eq!(server.ask("ruok").as_deref(), Some("imok"));
        assert_eq!(server.ask("isro").as_deref(), Some("rw"));
        let envi = server.ask("envi").expect("an answer");
        assert!(envi.starts_with("Environment:\nzookeeper.version=3.8.0-zebu-"), "{envi}");
        let mntr = server.ask("mntr").expect("an answer");
        assert!(mntr.lines().all(|l| l.starts_with("zk_") && l.split('\t').count() == 2), "{mntr}");
        assert!(
            mntr.contains(if at == leader { "zk_synced_followers\t2\n" } else { "zk_server_state\tfollower\n" }),
            "{mntr}"
        );
        let stat = server.ask("stat").expect("an answer");
        let asks = |l: &str| l.starts_with(" /127.0.0.1:") && l.ends_with("[0](queued=0,recved=1,sent=0)");
        assert!(stat.lines().any(asks), "{stat}");
        assert!(server.ask("cons").expect("an answer").lines().any(asks));
    }
    // The others gone, the last one does not serve.
    let last = (leader + 1) % 3;
    for at in (0..3).filter(|at| *at != last) {
        ensemble.servers[at].kill();
    }
    let alone = &ensemble.servers[last];
    wait_for("it to cease", || alone.ask("srvr").filter(|a| a.contains("not currently serving")));
    assert_eq!((alone.ask("ruok").as_deref(), alone.ask("isro").as_deref()), (Some("imok"), Some("null")));
    assert!(Client::connect(alone.client_port, None).is_none(), "no session without a quorum");
}

#[test]
fn a_full_or_foreign_place_is_named_and_the_start_refused() {
    let mut ensemble = Ensemble::new(1, "");
    ensemble.start();
    let taken = ensemble.servers[0].client_port;
    let data = ensemble.servers[0].dir.clone();
    let mut other = Ensemble::new(1, "");
    let cfg = other.servers[0].dir.join("zoo.cfg");
    let good = fs::read_to_string(&cfg).expect("a file");
    let own = other.servers[0].dir.display().to_string();
    let cases = [
        (
            good.replace(&other.servers[0].client_port.to_string(), &taken.to_string()),
            14,
            "another process has this port",
        ),
        (
            good.replace(&format!("dataDir={own}"), &format!("dataDir={}", data.display())),
            3,
            "another server is running",
        ),
        (good.replace("tickTime=500", "tickTime=x"), 2, "line 4: tickTime=x is not allowed"),
        (good.replace("127.0.0.1", "192.0.2.7"), 14, "this machine has no such address"),
    ];
    for (text, code, why) in cases {
        fs::write(&cfg, &text).expect("written");
        fs::write(other.servers[0].dir.join("log"), "").expect("emptied");
        other.servers[0].start();
        let status = other.servers[0].wait();
        let log = other.servers[0].log();
        assert_eq!(status.code(), Some(code), "{log}");
        assert!(log.contains("ERROR") && log.contains(why), "{log}");
    }
    assert!(ensemble.servers[0].is_running());
    assert!(matches!(ensemble.servers[0].client().create("/a", ""), Some(Ok(_))));
}
