//! Every key with its right and wrong values.

use super::*;

const ALONE: &str = "dataDir=/tmp/zebu-config-test\nclientPort=2181\n";

fn read(text: &str) -> Result<ZooCfg, ConfigError> {
    ZooCfg::from_bytes(Path::new("zoo.cfg"), text.as_bytes())
}

/// A file for three servers whose data directory has a `myid` of 2.
fn three(extra: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("myid"), "2\n").expect("written");
    let text = format!(
        "dataDir={}\nclientPort=2182\ninitLimit=10\nsyncLimit=5\nserver.1=a:2888:3888\nserver.2=b:2888:3888\n\
         server.3=c:2888:3888\n{extra}",
        dir.path().display()
    );
    (dir, text)
}

#[test]
fn defaults_are_apaches() {
    let cfg = read(ALONE).expect("valid");
    assert!(cfg.standalone && cfg.remarks.is_empty(), "{:?}", cfg.remarks);
    assert_eq!((cfg.id, cfg.tick_ms, cfg.min_session_ms, cfg.max_session_ms), (ServerId(1), 3000, 6000, 60_000));
    assert_eq!((cfg.max_client_cnxns, cfg.pre_alloc, cfg.snap_count), (60, 64 << 20, 100_000));
    assert_eq!((cfg.snap_size_limit, cfg.compression), (4_194_304 << 10, Compression::None));
    assert_eq!(cfg.log_limit, 256 << 20);
    assert_eq!((cfg.commit_log_count, cfg.max_buffer, cfg.limits.outstanding), (500, 1_048_575, 1000));
    assert_eq!((cfg.client_host, cfg.client_port, cfg.purge_interval), (None, Some(2181), None));
    assert_eq!(cfg.whitelist, BTreeSet::from(["srvr"]));
    assert!(cfg.force_sync);
    assert_eq!(cfg.data_log_dir, cfg.data_dir);
}

#[test]
fn logs_are_ended_by_size() {
    for (line, limit) in [("", 256 << 20), ("txnLogSizeLimitInKb=100\n", 100 << 10), ("txnLogSizeLimitInKb=-1\n", 0)] {
        assert_eq!(read(&format!("{ALONE}{line}")).expect(line).log_limit, limit);
    }
}

#[test]
fn snapshots_by_size_and_packed() {
    for (lines, limit, compression) in [
        ("", 4 << 30, Compression::None),
        ("snapSizeLimitInKb=100\nsnapshot.compression.method=\n", 100 << 10, Compression::None),
        ("snapSizeLimitInKb=0\nsnapshot.compression.method=gz\n", 0, Compression::Gzip),
        ("snapSizeLimitInKb=-1\nzookeeper.snapshot.compression.method=snappy\n", 0, Compression::Snappy),
    ] {
        let cfg = read(&format!("{ALONE}{lines}")).expect(lines);
        assert_eq!((cfg.snap_size_limit, cfg.core().snap_size_limit, cfg.compression), (limit, limit, compression));
    }
}

#[test]
fn an_ensemble_is_understood() {
    let (_dir, text) = three(
        "server.4=d:2888:3888:observer\nclientPortAddress=127.0.0.1\ntickTime=500\nobserver.reconnectDelayMs=300\n",
    );
    let cfg = read(&text).expect("valid");
    assert!(!cfg.standalone);
    assert_eq!((cfg.id, cfg.client_host.as_deref(), cfg.client_port), (ServerId(2), Some("127.0.0.1"), Some(2182)));
    let core = cfg.core();
    assert_eq!(core.ensemble.quorum_size(), 2);
    assert_eq!((core.tick, core.observer_wait), (Duration::from_millis(500), Duration::from_millis(500)));
    assert_eq!(
        core.ensemble.text(),
        "server.1=a:2888:3888:participant\nserver.2=b:2888:3888:participant\nserver.3=c:2888:3888:participant\n\
         server.4=d:2888:3888:observer\nversion=0"
    );
}

#[test]
fn every_wrong_value_is_named_with_file_line_key_and_what_is_allowed() {
    let cases = [
        ("tickTime=0", "a whole number from 1 to"),
        ("tickTime=two", "a whole number from 1 to"),
        ("tickTime=", "a whole number from 1 to"),
        ("initLimit=0", "a whole number from 1 to"),
        ("syncLimit=-5", "a whole number from 1 to"),
        ("clientPort=0", "a whole number from 1 to 65535"),
        ("clientPort=65536", "a whole number from 1 to 65535"),
        ("clientPortAddress=a b", "an address or a host name"),
        ("clientPortListenBacklog=-2", "a whole number from -1 to"),
        ("dataDir=", "the path of a folder"),
        ("dataLogDir=", "the path of a folder"),
        ("minSessionTimeout=-2", "a whole number from -1 to"),
        ("maxSessionTimeout=99999999999", "a whole number from -1 to"),
        ("minSessionTimeout=70000", "not above maxSessionTimeout (60000 ms)"),
        ("maxSessionTimeout=1", "minSessionTimeout (6000 ms) is not above maxSessionTimeout (1 ms)"),
        ("maxClientCnxns=-1", "a whole number from 0 to"),
        ("peerType=king", "participant or observer"),
        ("quorumListenOnAllIPs=yes", "false or true"),
        ("standaloneEnabled=1", "false or true"),
        ("electionAlg=0", "3"),
        ("preAllocSize=64M", "a whole number from 0 to 4194304"),
        ("snapCount=1", "a whole number from 2 to"),
        ("txnLogSizeLimitInKb=1G", "a whole number from -2147483648 to"),
        ("snapSizeLimitInKb=4G", "a whole number from -2147483648 to"),
        ("snapshot.compression.method=gzip", "gz or snappy, or empty"),
        ("snapshot.compression.method=GZ", "gz or snappy, or empty"),
        ("commitLogCount=0", "a whole number from 1 to"),
        ("jute.maxbuffer=12", "a whole number from 1024 to"),
        ("jute.maxbuffer=0xzz", "a whole number from 1024 to"),
        ("forceSync=maybe", "no or yes"),
        ("fsync.warningthresholdms=0", "a whole number from 1 to"),
        ("autopurge.snapRetainCount=2", "a whole number from 3 to"),
        ("autopurge.purgeInterval=-1", "a whole number from 0 to"),
        ("globalOutstandingLimit=0", "a whole number from 1 to"),
        ("nio.sessionlessCnxnTimeout=0", "a whole number from 1 to"),
        ("cnxTimeout=0", "a whole number from 1 to"),
        ("quorumCnxnTimeoutMs=-2", "a whole number from -1 to"),
        ("electionPortBindRetry=-1", "a whole number from 0 to"),
        ("fastleader.minNotificationInterval=0", "a whole number from 1 to"),
        ("fastleader.minNotificationInterval=70000", "(70000 ms) is not above the largest (60000 ms)"),
        ("fastleader.maxNotificationInterval=x", "a whole number from 1 to"),
        ("observer.election.DelayMs=-1", "a whole number from 0 to"),
        ("observer.reconnectDelayMs=soon", "a whole number from 0 to"),
        ("admin.enableServer=on", "false or true"),
        ("admin.serverPort=0", "a whole number from 1 to 65535"),
        ("admin.serverAddress=a b", "an address or a host name"),
        ("admin.commandURL=commands", "a path such as /commands"),
        ("admin.commandURL=/a b", "a path such as /commands"),
        ("admin.commandURL=/{a}", "a path such as /commands"),
        ("admin.idleTimeout=0", "a whole number from 1 to"),
        ("admin.snapshot.enabled=1", "false or true"),
        ("admin.snapshot.intervalInMS=-1", "a whole number from 0 to"),
        ("metricsProvider.className=Other", "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider or org"),
        ("metricsProvider.httpPort=70000", "a whole number from 1 to 65535"),
        ("metricsProvider.httpHost=", "an address or a host name"),
        ("metricsProvider.exportJvmInfo=maybe", "false or true"),
        ("server.x=h:1:2", "server.N with a number N from 0 to 255"),
        ("server.256=h:1:2", "server.N with a number N from 0 to 255"),
        ("server.1=h:2888", "host:quorumPort:electionPort"),
    ];
    for (line, allowed) in cases {
        let error = read(&format!("{ALONE}\n{line}\n")).expect_err(line).to_string();
        let (key, value) = line.split_once('=').expect("key=value");
        let head = format!("zoo.cfg, line 4: {key}={value} is not allowed: {key} must be ");
        assert!(error.starts_with(&head) && error.contains(allowed), "{line}: {error}");
    }
}

#[test]
fn what_is_not_done_here_is_refused_not_ignored() {
    for &(key, allowed, _) in ONLY {
        for value in allowed {
            read(&format!("{ALONE}{key}={value}\n")).expect(key);
        }
        let error = read(&format!("{ALONE}{key}=other\n")).expect_err(key).to_string();
        assert!(error.starts_with(&format!("zoo.cfg, line 3: {key}=other asks for something")), "{error}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (text, missing) in [
        ("clientPort=2181\n", "dataDir is missing"),
        ("dataDir=/tmp/x\n", "clientPort is missing"),
        ("dataDir=/tmp/x\nclientPortAddress=127.0.0.1\n", "clientPort is missing"),
        ("dataDir=/tmp/x\nclientPort=1\nstandaloneEnabled=false\n", "server.1 is missing"),
        ("dataDir=/tmp/x\nclientPort=1\nserver.1=a:1:2:observer\n", "a voting server is missing"),
        (
            "dataDir=/tmp/x\nclientPort=1\nserver.1=a:1:2\nserver.2=b:1:2:observer\n",
            "standaloneEnabled=false is missing",
        ),
    ] {
        let error = read(text).expect_err(missing).to_string();
        assert!(error.starts_with("zoo.cfg: ") && error.contains(missing), "{error}");
    }
    let (_dir, text) = three("");
    for key in ["initLimit", "syncLimit"] {
        let without: String = text.lines().filter(|l| !l.starts_with(key)).map(|l| format!("{l}\n")).collect();
        let error = read(&without).expect_err(key).to_string();
        assert!(error.contains(&format!("{key} is missing")), "{error}");
    }
}

#[test]
fn contradictions_between_lines_are_named() {
    let (_dir, text) = three("server.4=b:2888:4888\n");
    let error = read(&text).expect_err("twice").to_string();
    assert!(error.contains("line 8: server.4=b:2888:4888") && error.contains("server.2 has port 2888 too"), "{error}");
    let (_dir, text) = three("");
    let error = read(&text.replace("b:2888:3888", "b:2888:3888;2999")).expect_err("ports").to_string();
    assert!(error.contains("line 2: clientPort=2182") && error.contains("2999") && error.contains("myid"), "{error}");
}

#[test]
fn client_port_may_stand_in_the_servers_own_line() {
    let (_dir, text) = three("");
    let text = text.replace("clientPort=2182\n", "");
    for (spec, host) in [(";2182", None), (";127.0.0.2:2182", Some("127.0.0.2")), (";0.0.0.0:2182", None)] {
        let cfg = read(&text.replace("b:2888:3888", &format!("b:2888:3888{spec}"))).expect(spec);
        assert_eq!((cfg.client_host.as_deref(), cfg.client_port), (host, Some(2182)), "{spec}");
    }
}

#[test]
fn clients_may_be_served_by_tls_alone_and_by_a_member_not_at_all() {
    let tls = "secureClientPort=2281\nssl.clientAuth=none\nssl.keyStore.location=/k.pem\n";
    let cfg = read(&format!("dataDir=/tmp/x\n{tls}")).expect("valid");
    let secure = cfg.secure.as_ref().and_then(|secure| secure.port);
    assert_eq!((cfg.client_port, secure, cfg.remarks), (None, Some(2281), vec![]));
    let (_dir, text) = three("");
    let without = text.replace("clientPort=2182\n", "");
    let cfg = read(&format!("{without}{tls}")).expect("valid");
    assert_eq!((cfg.client_port, cfg.remarks), (None, vec![]));
    let cfg = read(&without).expect("as in Apache's server");
    assert_eq!((cfg.client_port, cfg.secure), (None, None));
    assert!(cfg.remarks.join("").contains("serves no clients"), "{:?}", cfg.remarks);
}

#[test]
fn unknown_keys_and_doubtful_values_are_remarked() {
    let text = format!("{ALONE}admin.serverport=8080\nsnapcount=5\nforceSync=no\n");
    let cfg = read(&text).expect("valid");
    let remarks = cfg.remarks.join("\n");
    for part in ["line 3: admin.serverport", "line 4: snapcount", "power cut"] {
        assert!(remarks.contains(part), "{remarks}");
    }
    let (_dir, text) = three("peerType=observer\n");
    assert!(read(&text).expect("valid").remarks.join("").contains("peerType=observer"));
}

#[test]
fn the_last_of_equal_keys_counts_and_words_of_apache_are_taken() {
    let cfg = read(&format!("{ALONE}tickTime=1\ntickTime=2\n4lw.commands.whitelist=ruok, cons,mntr\n")).expect("valid");
    assert_eq!((cfg.tick_ms, cfg.whitelist), (2, BTreeSet::from(["ruok", "cons", "mntr", "srvr"])));
    let cfg = read(&format!("{ALONE}4lw.commands.whitelist=ruok, orst ,,telnet close\n")).expect("valid");
    assert_eq!(cfg.whitelist, BTreeSet::from(["ruok", "srvr"]));
    for named in ["line 3: 4lw.commands.whitelist: \"orst\" is no word", "\"telnet close\""] {
        assert!(cfg.remarks.iter().any(|remark| remark.contains(named)), "{:?}", cfg.remarks);
    }
    let read_only = read(&format!("{ALONE}readonlymode.enabled=true\n")).expect("valid");
    assert_eq!(read_only.whitelist, BTreeSet::from(["isro", "srvr"]));
    let all = read(&format!("{ALONE}4lw.commands.whitelist=*\n")).expect("valid");
    assert_eq!(all.whitelist, BTreeSet::from(crate::four_letter::WORDS));
    assert_eq!(read(&format!("{ALONE}jute.maxbuffer=0x1fffff\n")).expect("valid").max_buffer, 0x1f_ffff);
}

#[test]
fn an_unreadable_file_is_named() {
    let error = ZooCfg::load(Path::new("/no/such/zoo.cfg")).expect_err("no file").to_string();
    assert!(error.contains("/no/such/zoo.cfg"), "{error}");
}

#[test]
fn where_operators_look() {
    let cfg = read(ALONE).expect("valid");
    let admin = cfg.admin.expect("on unless it is switched off");
    assert_eq!((admin.host.as_deref(), admin.port, admin.base.as_str()), (Some("127.0.0.1"), 8080, "/commands"));
    assert_eq!((admin.idle, admin.snapshots, cfg.prometheus), (Duration::from_secs(30), true, None));
    assert_eq!(cfg.shown, ALONE);
    assert_eq!(read(&format!("{ALONE}admin.enableServer=false\n")).expect("valid").admin, None);
    let cfg = read(&format!(
        "{ALONE}admin.serverAddress=0.0.0.0\nadmin.serverPort=9000\nadmin.commandURL=/zk/\nadmin.idleTimeout=5\n\
         metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n\
         metricsProvider.httpHost=127.0.0.1\nssl.keyStore.password=secret\n"
    ))
    .expect("valid");
    let admin = cfg.admin.expect("on");
    assert_eq!((admin.host, admin.port, admin.base.as_str()), (None, 9000, "/zk"));
    assert_eq!(cfg.prometheus, Some(Prometheus { host: Some("127.0.0.1".into()), port: 7000 }));
    assert!(cfg.shown.contains("admin.serverPort=9000\n") && !cfg.shown.contains("secret"), "{}", cfg.shown);
    let property = |key: &str| cfg.properties.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    assert_eq!(property("zookeeper.admin.serverPort"), Some("9000"));
    assert_eq!((property("zookeeper.ssl.keyStore.password"), property("zookeeper.dataDir")), (Some("***"), None));
}

#[test]
fn groups_weights_and_a_dynamic_file() {
    use zebu_core::config::Reconfig;
    let (_dir, text) = three("group.1=1\ngroup.2=2:3\nweight.3=0\n");
    let cfg = read(&text).expect("valid");
    assert_eq!((cfg.ensemble.quorum_size(), cfg.reconfig), (2, Reconfig::Disabled));
    assert!(!cfg.ensemble.may_lead(ServerId(3)));
    for (line, what) in
        [("group.1=1:2", "no group"), ("group.1=9", "none"), ("weight.1=x", "number"), ("group.x=1", "number")]
    {
        let (_dir, text) = three(&format!("{line}\n"));
        let error = read(&text).expect_err(line).to_string();
        assert!(error.starts_with("zoo.cfg, line 8: ") && error.contains(what), "{error}");
    }

    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("myid"), "2\n").expect("written");
    let path = dir.path().join("zoo.cfg");
    let common = format!("dataDir={}\ninitLimit=10\nsyncLimit=5\nreconfigEnabled=true\n", dir.path().display());
    let members = "server.1=a:2888:3888:participant;2181\nserver.2=b:2888:3888:participant;127.0.0.1:2182\n";
    fs::write(dir.path().join("zoo.cfg.dynamic.10000000a"), members).expect("written");
    let load = |extra: &str| {
        fs::write(&path, format!("{common}dynamicConfigFile=zoo.cfg.dynamic.10000000a\n{extra}")).expect("written");
        ZooCfg::load(&path)
    };
    let cfg = load("").expect("valid");
    assert_eq!((cfg.ensemble.version(), cfg.servers.len()), (0x1_0000_000a, 2));
    assert_eq!((cfg.client_host.as_deref(), cfg.client_port), (Some("127.0.0.1"), Some(2182)));
    assert_eq!((cfg.reconfig, cfg.proposed), (Reconfig::Enabled { least: 2 }, None));
    assert_eq!(load("standaloneEnabled=false\n").expect("valid").reconfig, Reconfig::Enabled { least: 1 });
    let error = load("server.3=c:1:2\n").expect_err("in both").to_string();
    assert!(error.contains("dynamicConfigFile"), "{error}");
    let next = format!("{members}server.3=c:1:2:participant;2183\nversion=10000000b");
    fs::write(dir.path().join("zoo.cfg.dynamic.next"), next).expect("written");
    assert_eq!(load("").expect("valid").core().proposed.map(|e| e.version()), Some(0x1_0000_000b));
    fs::write(dir.path().join("zoo.cfg.dynamic.10000000a"), "version=5\n").expect("written");
    assert!(load("").is_err());
}
