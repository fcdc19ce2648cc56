//! `zebu bench` at real servers, briefly: what it reports, not how fast anything is.

use crate::common::{self, Ensemble};
use serde_json::Value;
use std::process::{Command, Output};

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zebu")).arg("bench").args(arguments).output().expect("zebu starts")
}

/// The JSON of a benchmark that ends well.
fn report(arguments: &[&str]) -> Value {
    let done = bench(&[arguments, &["--json", "-"]].concat());
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("JSON and nothing else")
}

fn hosts(ensemble: &Ensemble) -> String {
    ensemble.servers.iter().map(|s| format!("127.0.0.1:{}", s.client_port)).collect::<Vec<_>>().join(",")
}

fn metric<'a>(round: &'a Value, name: &str) -> &'a Value {
    let metrics = round["metrics"].as_array().expect("metrics");
    &metrics.iter().find(|m| m["name"] == name).unwrap_or_else(|| panic!("no {name} in {round}"))["value"]
}

#[test]
fn every_workload_reports_what_it_did_and_leaves_nothing() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start();
    let to = hosts(&ensemble);
    let pids = ensemble.servers.iter().map(|s| s.pid().to_string()).collect::<Vec<_>>().join(",");
    let brief = ["--duration", "1", "--warm-up", "0", "--connections", "3"];
    let cases: &[(&[&str], &str, &[&str])] = &[
        (&[&["mix", "--reads", "100", "--in-flight", "4"], &brief[..]].concat(), "read p99", &["read"]),
        (&[&["mix", "--reads", "0", "--rate", "200"], &brief[..]].concat(), "write p99", &["write"]),
        (&[&["mix", "--size", "10", "--znodes", "7"], &brief[..]].concat(), "server CPU", &["read", "write"]),
        (&[&["create"], &brief[..]].concat(), "create p50", &["create", "delete"]),
        (&["watch", "--watchers", "9", "--changes", "3"], "events", &["change to event", "first to last event"]),
        (
            &["watch", "--watchers", "9", "--changes", "3", "--persistent"],
            "events",
            &["change to event", "first to last event"],
        ),
        (&["sessions", "--duration", "1", "--connections", "3"], "sessions opened and closed", &["open a session"]),
        (&["idle", "--sessions", "10", "--duration", "1"], "memory of a session", &[]),
        (&["memory", "--znodes", "500"], "resident memory of a znode", &["create"]),
    ];
    for (arguments, figure, latencies) in cases {
        let wanted = if ["idle", "memory"].contains(&arguments[0]) { "1" } else { "2" };
        let report = report(&[*arguments, &["-s", &to, "--pids", &pids, "--rounds", wanted]].concat());
        let rounds = report["targets"][0]["rounds"].as_array().expect("rounds");
        assert_eq!(rounds.len().to_string(), wanted, "{report}");
        for round in rounds {
            assert!(metric(round, figure).is_number() && round["operations"].as_u64() > Some(0), "{round}");
            assert_eq!(round["errors"], serde_json::json!({}), "{arguments:?}");
            let kinds: Vec<_> = round["latency_ms"].as_object().expect("latencies").keys().collect();
            assert_eq!(kinds, *latencies, "{arguments:?}");
        }
    }
    // An event for each watcher and change; each znode once; an open loop sends what it is told to.
    let counted = |arguments: &[&str]| {
        let report = report(&[arguments, &["-s", &to]].concat());
        report["targets"][0]["rounds"][0]["operations"].as_u64().expect("a count")
    };
    assert_eq!(counted(&["watch", "--watchers", "9", "--changes", "3"]), 27);
    assert_eq!(counted(&["memory", "--znodes", "500"]), 500);
    assert_eq!(counted(&["mix", "--rate", "300", "--duration", "1", "--warm-up", "0", "--connections", "3"]), 300);
    let mut client = ensemble.servers[0].client();
    assert_eq!(client.read("/zebu-bench"), None, "all is removed");

    // Far beyond what a server can do: what was not sent is told, and counts with the time that it has waited.
    let arguments = ["mix", "--rate", "400000", "--duration", "1", "--warm-up", "0", "--connections", "1", "-s", &to];
    let report = report(&arguments);
    let round = &report["targets"][0]["rounds"][0];
    let unsent = round["errors"]["not sent in time"].as_u64().unwrap_or_else(|| panic!("{round}"));
    let sent = round["operations"].as_u64().expect("a count");
    assert!((399_990..=400_010).contains(&(sent + unsent)), "{round}");
    let half = ["read p50", "write p50"].map(|name| metric(round, name).as_f64().expect("milliseconds"));
    assert!(
        unsent < sent || half.iter().all(|ms| *ms > 900.0),
        "half of them waited longer than the load lasted: {round}"
    );
}

#[test]
fn two_targets_take_turns_and_a_killed_leader_leaves_a_gap() {
    let mut ensemble = Ensemble::new(3, "");
    ensemble.start();
    let to = hosts(&ensemble);
    let mut other = Ensemble::new(1, "");
    other.start();
    let alone = hosts(&other);
    let compare = ["--compare", &to, &alone, "--name", "three", "--name", "one", "--rounds", "3"];
    let mix = ["mix", "--duration", "1", "--warm-up", "0", "--connections", "2", "--in-flight", "2"];
    let done = bench(&[&mix[..], &compare].concat());
    let table = String::from_utf8_lossy(&done.stdout).into_owned();
    for word in ["three", "one", "throughput, ops/s", "95 % interval", "rounds: 3"] {
        assert!(done.status.success() && table.contains(word), "{word} is missing in\n{table}");
    }
    let both = report(&[&mix[..], &compare].concat());
    let ratio = both["ratios"].as_array().expect("ratios").iter().find(|r| r["name"] == "throughput").expect("one");
    let [median, low, high] = ["median", "low", "high"].map(|key| ratio[key].as_f64().expect("a number"));
    assert!(low <= median && median <= high && low > 0.0, "{ratio}");

    let refused = bench(&["kill", "-s", &alone]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("no majority is left"));
    let pids = ensemble.servers.iter().map(|s| s.pid().to_string()).collect::<Vec<_>>().join(",");
    let killed = report(&["kill", "-s", &to, "--pids", &pids, "--around", "1"]);
    let round = &killed["targets"][0]["rounds"][0];
    assert!(metric(round, "longest gap in writes").as_f64() > Some(0.0), "{round}");
    let alive = ensemble.servers.iter_mut().filter_map(|s| s.is_running().then_some(())).count();
    assert_eq!(alive, 2, "one was killed");
}

#[test]
fn what_cannot_be_measured_is_said_in_words() {
    let closed = format!("127.0.0.1:{}", common::free_port());
    for (arguments, why) in [
        (&["mix", "-s", &closed][..], "no connection to 127.0.0.1"),
        (&["mix", "-s", &closed, "--pids", "2147483647"], "process 2147483647"),
        (&["mix", "-s", &closed, "--pids", "x"], "--pids x"),
        (&["mix", "-s", &closed, "--root", "bench"], "--root bench"),
        (&["mix", "-s", "no-such-host.invalid:1"], "no-such-host.invalid:1 has no address"),
        (&["mix", "-s", &closed, "--name", "a", "--name", "b"], "--name is given 2 times"),
        (&["memory", "-s", &closed, "--rounds", "2"], "--rounds 2: this is measured once"),
        (&["idle", "-s", &closed, "--rounds", "3"], "--rounds 3: this is measured once"),
        (&["mix", "--reads", "101"], "101"),
        (&["mix", "--rate", "0"], "from 0.01"),
        (&["mix", "-s", "a", "--compare", "a", "b"], "cannot be used with"),
    ] {
        let done = bench(arguments);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && said.contains(why), "{arguments:?}: {said}");
    }
}
