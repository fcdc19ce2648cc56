"""What operators see: four-letter words, AdminServer, Prometheus."""

import contextlib
import http.client
import json
import re
import socket
import time
import unittest

from kazoo.protocol.states import EventType

from ensemble import PATIENCE, Ensemble, EnsembleTest, wait_for

NOT_SERVING = "This ZooKeeper instance is not currently serving requests"

OPERATED = {
    "4lw.commands.whitelist": "*",
    "admin.enableServer": "true",
    "admin.serverPort": lambda server: server.admin_port,
    "admin.snapshot.intervalInMS": 0,
    "metricsProvider.className": "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
    "metricsProvider.httpHost": "127.0.0.1",
    "metricsProvider.httpPort": lambda server: server.metrics_port,
}

DATE = r"\w{3} \w{3} \d\d \d\d:\d\d:\d\d UTC \d{4}"
BRIEF = r" /127\.0\.0\.1:\d+\[[0145]\]\(queued=\d+,recved=\d+,sent=\d+"
STATISTICS = (
    r"Latency min/avg/max: \d+/\d+\.\d{1,4}/\d+\nReceived: \d+\nSent: \d+\nConnections: \d+\nOutstanding: \d+\n"
    r"Zxid: 0x[0-9a-f]+\nMode: (leader|follower|observer|standalone)\nNode count: \d+\n"
    r"(Proposal sizes last/min/max: -?\d+/-?\d+/-?\d+\n)?"
)
BUILT = r"3\.8\.0-\S+, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC\n"
VERSION = "Zookeeper version: " + BUILT
SHAPES = {
    "ruok": r"imok",
    "srvr": VERSION + STATISTICS,
    "stat": VERSION + rf"Clients:\n({BRIEF}\)\n)+\n" + STATISTICS,
    "cons": rf"({BRIEF}(,sid=0x[0-9a-f]+,lop=[A-Z]+,est=\d+,to=\d+(,lcxid=0x[0-9a-f]+)?,lzxid=0x[0-9a-f]+,lresp=\d+,"
    r"llat=\d+,minlat=\d+,avglat=\d+,maxlat=\d+)?\)\n)+\n",
    "conf": r"clientPort=\d+\nsecureClientPort=-1\ndataDir=.*/version-2\ndataDirSize=\d+\ndataLogDir=.*/version-2\n"
    r"dataLogSize=\d+\ntickTime=500\nmaxClientCnxns=0\nminSessionTimeout=1000\nmaxSessionTimeout=10000\n"
    r"clientPortListenBacklog=-1\nserverId=\d\ninitLimit=20\nsyncLimit=10\nelectionAlg=3\nelectionPort=\d+\n"
    r"quorumPort=\d+\npeerType=0\nmembership: \n(server\.\d=127\.0\.0\.1:\d+:\d+:participant\S*\n){3}version=\w+",
    "envi": r"Environment:\nzookeeper\.version=" + BUILT + r"host\.name=.*\n([a-z.]+=.*\n)+os\.memory\.total=\d+MB\n",
    "isro": r"rw",
    "dirs": r"datadir_size: \d+\nlogdir_size: \d+\n",
    "wchs": r"\d+ connections watching \d+ paths\nTotal watches:\d+\n",
    "wchc": r"(0x[0-9a-f]+\n(\t/.*\n)+)*\n",
    "wchp": r"(/.*\n(\t0x[0-9a-f]+\n)+)*\n",
    "hash": r"([0-9a-f]+: \d+\n)*",
    "gtmk": r"\d+",
    "crst": r"Connection stats reset\.\n",
    "srst": r"Server stats reset\.\n",
    "mntr": r"zk_version\t" + BUILT + r"zk_server_state\t\w+\nzk_peer_state\t\w+ - broadcast\n(zk_\S+\t-?\d+(\.\d+)?\n)+",
    "dump": rf"SessionTracker dump:\n(Session Sets \(\d+\)/\(\d+\):\n(\d+ expire at {DATE}:\n(\t0x[0-9a-f]+\n)+)*|"
    r"Global Sessions\(\d+\):\n(0x[0-9a-f]+\t\d+ms\n)*)"
    r"ephemeral nodes dump:\nSessions with Ephemerals \(\d+\):\n(0x[0-9a-f]+:\n(\t/.*\n)+)*"
    rf"Connections dump:\nConnections Sets \(\d+\)/\(\d+\):\n(\d+ expire at {DATE}:\n"
    r"(\tip: /127\.0\.0\.1:\d+ sessionId: 0x[0-9a-f]+\n)+)+",
}

# The names of Apache's metrics that mean something here (client-protocol §15).
GAUGES = """
    avg_latency max_latency min_latency packets_received packets_sent num_alive_connections outstanding_requests uptime
    znode_count watch_count ephemerals_count approximate_data_size global_sessions local_sessions
    open_file_descriptor_count max_file_descriptor_count last_client_response_size max_client_response_size
    min_client_response_size auth_failed_count non_mtls_remote_conn_count non_mtls_local_conn_count quorum_size
    outstanding_tls_handshake connection_drop_probability
""".split()
LEADERS = """
    learners synced_followers synced_non_voting_followers synced_observers pending_syncs leader_uptime
    last_proposal_size max_proposal_size min_proposal_size
""".split()
COUNTERS = """
    commit_count proposal_count snap_count diff_count looking_count connection_rejected connection_drop_count
    connection_request_count connection_revalidate_count bytes_received_count response_bytes watch_bytes
    stale_sessions_expired sessionless_connections_expired cnxn_closed_without_zk_server_running
    ttl_node_created_count ttl_node_deleted_count digest_mismatches_count unrecoverable_error_count throttled_ops
    learner_proposal_received_count learner_commit_received_count revalidate_count sync_processor_request_queued
    op_count_total large_requests_rejected tls_handshake_exceeded request_throttle_wait_count stale_requests_dropped
    stale_replies
""".split()
BASIC = """
    fsynctime snapshottime dbinittime startup_txns_loaded startup_txns_load_time startup_snap_load_time election_time
    follower_sync_time observer_sync_time sync_processor_queue_size sync_processor_batch_size prep_processor_queue_size
    prep_process_time commit_process_time inflight_snap_count inflight_diff_count node_created_watch_count
    node_deleted_watch_count node_changed_watch_count node_children_watch_count unavailable_time leader_unavailable_time
    connection_token_deficit
""".split()
ADVANCED = """
    readlatency updatelatency propagation_latency proposal_latency proposal_ack_creation_latency
    commit_propagation_latency quorum_ack_latency sync_processor_queue_time_ms sync_processor_queue_flush_time_ms
    sync_processor_queue_and_flush_time_ms read_commitproc_time_ms write_commitproc_time_ms
    request_throttle_queue_time_ms
""".split()

# The fields of AdminServer's answers before `command` and `error`, in Apache's order.
CONNECTION = """
    remote_socket_address interest_ops outstanding_requests packets_received packets_sent session_id last_operation
    established session_timeout last_cxid last_zxid last_response_time last_latency min_latency avg_latency max_latency
""".split()
SERVER_STATS = """
    packets_sent packets_received fsync_threshold_exceed_count client_response_stats data_dir_size log_dir_size
    server_state last_processed_zxid outstanding_requests avg_latency max_latency min_latency
    num_alive_client_connections auth_failed_count non_mtlsremote_conn_count non_mtlslocal_conn_count provider_null
    uptime
""".split()
BUFFERS = "last_buffer_size min_buffer_size max_buffer_size".split()
FIELDS = {
    "configuration": "client_port data_dir data_log_dir tick_time max_client_cnxns min_session_timeout"
    " max_session_timeout server_id client_port_listen_backlog",
    "connections": "connections secure_connections",
    "connection_stat_reset": "",
    "dirs": "datadir_size logdir_size",
    "dump": "expiry_time_to_session_ids session_id_to_ephemeral_paths",
    "get_trace_mask": "tracemask",
    "hash": "digests",
    "initial_configuration": "initial_configuration",
    "is_read_only": "read_only",
    "last_snapshot": "zxid timestamp",
    "leader": "is_leader leader_id leader_ip",
    "observer_connection_stat_reset": "",
    "observers": "synced_observers observers",
    "ruok": "",
    "stat_reset": "",
    "voting_view": "current_config",
    "watch_summary": "num_connections num_paths num_total_watches",
    "watches": "session_id_to_watched_paths",
    "watches_by_path": "path_to_session_ids",
    "zabstate": "myid is_leader quorum_address election_address client_address voting last_zxid zab_epoch zab_counter"
    " zabstate",
}
ALIASES = {
    "configuration": "conf config",
    "connections": "cons",
    "connection_stat_reset": "crst",
    "environment": "env envi",
    "get_trace_mask": "gtmk",
    "initial_configuration": "icfg",
    "is_read_only": "isro",
    "last_snapshot": "lsnp",
    "leader": "lead",
    "monitor": "mntr",
    "observer_connection_stat_reset": "orst",
    "observers": "obsr",
    "server_stats": "srvr",
    "stat_reset": "srst",
    "stats": "stat",
    "system_properties": "sysp",
    "watch_summary": "wchs",
    "watches": "wchc",
    "watches_by_path": "wchp",
}


def ask_http(port, path, method="GET", headers=None, body=None):
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers or {}, body=body)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def command(server, name, **options):
    """The JSON of an answer of AdminServer, which has status 200."""
    status, headers, body = ask_http(server.admin_port, f"/commands/{name}", **options)
    assert (status, headers["Content-Type"]) == (200, "application/json"), (name, status, headers["Content-Type"], body)
    return json.loads(body)


def monitor(server):
    """`mntr` as numbers, without `zk_`."""
    numbers = {}
    for line in server.four_letters("mntr").splitlines():
        key, value = line.removeprefix("zk_").split("\t")
        with contextlib.suppress(ValueError):
            numbers[key] = float(value)
    return numbers


def scrape(server):
    """The samples of `/metrics`: name with labels, value."""
    status, headers, body = ask_http(server.metrics_port, "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), (status, headers)
    samples = {}
    for line in body.decode().splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) [a-zA-Z_]\w* \S+", line), line
            continue
        sample = re.fullmatch(r'([a-zA-Z_]\w*(?:\{(?:\w+="[^"]*",?)+\})?) (NaN|-?\d+\.\d+(?:e-?\d+)?)', line)
        assert sample, line
        assert sample[1] not in samples, line
        samples[sample[1]] = float(sample[2])
    return samples


class Operated(EnsembleTest):
    """Three servers, all of which may be asked everything."""

    @classmethod
    def setUpClass(cls):
        cls.ensemble = Ensemble(cls.__name__, **OPERATED)
        cls.addClassCleanup(cls.ensemble.close)
        cls.ensemble.start()
        cls.leader = cls.ensemble.leader()
        wait_for("both others follow", lambda: len(cls.ensemble.followers()) == 2)
        cls.follower = cls.ensemble.followers()[0]
        cls.everyone = list(cls.ensemble.servers.values())

    def client_of(self, server):
        client = self.ensemble.client(server)
        self.addCleanup(client.stop)
        return client


class Words(Operated):
    def test_every_word_has_apaches_shape(self):
        client = self.client_of(self.leader)
        client.create("/shape", ephemeral=True)
        client.get("/shape", watch=lambda _event: None)
        for server in self.everyone:
            for word, shape in SHAPES.items():
                with self.subTest(server=server.id, word=word):
                    self.assertRegex(server.four_letters(word), re.compile(f"^{shape}$"))
        self.assertIn("Proposal sizes", self.leader.four_letters("srvr"))
        self.assertNotIn("Proposal sizes", self.follower.four_letters("srvr"))

    def test_sessions_and_their_ephemerals(self):
        client = self.client_of(self.follower)
        client.create("/dumped", ephemeral=True)
        client.sync("/")
        session = f"0x{client.client_id[0]:x}"
        for server in self.everyone:
            text = wait_for("it knows of it", lambda server=server: (t := server.four_letters("dump")).count("/dumped") and t)
            self.assertIn(f"{session}:\n\t/dumped\n", text)
        self.assertRegex(self.leader.four_letters("dump"), rf"expire at {DATE}:\n(\t0x[0-9a-f]+\n)*\t{session}\n")
        self.assertIn(f"{session}\t10000ms\n", self.follower.four_letters("dump"))
        self.assertRegex(self.follower.four_letters("dump"), rf"sessionId: {session}\n")
        self.assertRegex(self.follower.four_letters("cons"), rf"sid={session},lop=[A-Z]+,est=\d+,to=10000,")

        held = command(self.leader, "dump")
        self.assertIn(client.client_id[0], sum(held["expiry_time_to_session_ids"].values(), []))
        self.assertTrue(all(int(at) / 1000 > time.time() for at in held["expiry_time_to_session_ids"]))
        self.assertEqual(held["session_id_to_ephemeral_paths"][str(client.client_id[0])], ["/dumped"])
        self.assertEqual(command(self.follower, "dump")["expiry_time_to_session_ids"], {})

    def test_watches_on_data(self):
        client = self.client_of(self.follower)
        client.ensure_path("/watched/a")
        before = command(self.follower, "wchs")
        client.get("/watched", watch=lambda _event: None)
        client.get("/watched/a", watch=lambda _event: None)
        client.exists("/watched/none", watch=lambda _event: None)
        client.get_children("/watched", watch=lambda _event: None)
        session = client.client_id[0]
        paths = ["/watched", "/watched/a", "/watched/none"]
        self.assertIn(f"0x{session:x}\n" + "".join(f"\t{path}\n" for path in paths), self.follower.four_letters("wchc"))
        self.assertIn(f"/watched/a\n\t0x{session:x}\n", self.follower.four_letters("wchp"))
        self.assertNotIn("/watched", self.leader.four_letters("wchp"))
        self.assertEqual(command(self.follower, "wchc")["session_id_to_watched_paths"][str(session)], paths)
        self.assertEqual(command(self.follower, "wchp")["path_to_session_ids"]["/watched/none"], [session])
        after = command(self.follower, "watch_summary")
        self.assertEqual(after["num_connections"], before["num_connections"] + 1)
        self.assertEqual(after["num_paths"], before["num_paths"] + 3)
        self.assertEqual(after["num_total_watches"], before["num_total_watches"] + 3)
        self.assertIn(f"Total watches:{after['num_total_watches']}\n", self.follower.four_letters("wchs"))

    def test_digests_agree_and_stand_at_every_128th(self):
        client = self.client_of(self.leader)
        client.create("/hashed")
        for number in range(300):
            client.set_async("/hashed", str(number).encode())
        client.set("/hashed", b"last")
        zxid = client.exists("/hashed").mzxid
        answers = []
        for server in self.everyone:
            wait_for("it has applied everything", lambda server=server: server.zxid() >= zxid)
            lines = [line.split(": ") for line in server.four_letters("hash").splitlines()]
            digests = {int(at, 16): int(digest) for at, digest in lines}
            self.assertGreaterEqual(len(digests), 2)
            self.assertTrue(all(at % 128 == 0 for at in digests))
            listed = command(server, "hash")["digests"]
            self.assertEqual({d["zxid"]: d["digest"] for d in listed if d["digestVersion"] == 2}, digests)
            answers.append(digests)
        common = set.intersection(*(set(digests) for digests in answers))
        self.assertGreaterEqual(len(common), 2)
        for at in common:
            self.assertEqual(len({digests[at] for digests in answers}), 1, f"at {at:x}")

    def test_trace_mask(self):
        self.addCleanup(command, self.follower, "stmk?traceMask=306")
        self.assertEqual(self.follower.four_letters("gtmk"), "306")
        for bytes_at_once in (12, 6):
            with socket.create_connection(("127.0.0.1", self.follower.client_port), timeout=PATIENCE) as connection:
                message = b"stmk" + (0x1FE).to_bytes(8, "big")
                connection.sendall(message[:bytes_at_once])
                time.sleep(0.1)
                connection.sendall(message[bytes_at_once:])
                self.assertEqual(connection.recv(100), b"510")
        self.assertEqual(command(self.follower, "gtmk")["tracemask"], 510)
        self.assertEqual(command(self.follower, "set_trace_mask?traceMask=2")["tracemask"], 2)
        self.assertEqual(self.follower.four_letters("gtmk"), "2")
        refused = command(self.follower, "stmk")
        self.assertEqual(list(refused), ["error", "command"])
        self.assertEqual(refused["error"], "setTraceMask requires long traceMask argument")

    def test_telnets_close_is_no_request(self):
        with socket.create_connection(("127.0.0.1", self.follower.client_port), timeout=PATIENCE) as connection:
            connection.sendall(b"\xff\xf4\xff\xfd")
            self.assertEqual(connection.recv(100), b"")

    def test_resets(self):
        client = self.client_of(self.follower)
        for _ in range(20):
            client.exists("/")
        session = f"sid=0x{client.client_id[0]:x}"
        line = next(line for line in self.follower.four_letters("cons").splitlines() if session in line)
        self.assertGreaterEqual(int(re.search(r"recved=(\d+)", line)[1]), 20)
        self.assertRegex(line, r"lop=(EXIS|PING)")
        self.assertEqual(self.follower.four_letters("crst"), "Connection stats reset.\n")
        line = next(line for line in self.follower.four_letters("cons").splitlines() if session in line)
        self.assertLess(int(re.search(r"recved=(\d+)", line)[1]), 5)
        self.assertGreater(monitor(self.follower)["op_count_exists"], 19)
        self.assertEqual(self.follower.four_letters("srst"), "Server stats reset.\n")
        after = monitor(self.follower)
        self.assertNotIn("op_count_exists", after)
        self.assertLess(after["packets_received"], 10)
        self.assertEqual(after["cnt_fsynctime"] + after["cnt_election_time"], 0)


class Measured(Operated):
    def test_every_metric_has_apaches_name(self):
        for server in self.everyone:
            wanted = set(GAUGES + COUNTERS)
            wanted.update(f"{part}_{name}" for name in BASIC + ADVANCED for part in ("avg", "min", "max", "cnt", "sum"))
            wanted.update(f"{part}_{name}" for name in ADVANCED for part in ("p50", "p95", "p99", "p999"))
            if server is self.leader:
                wanted.update(LEADERS)
            numbers = monitor(server)
            self.assertEqual(wanted - set(numbers), set())
            more = {name for name in set(numbers) - wanted if "_per_namespace" not in name and "ack_latency" not in name}
            self.assertEqual({name for name in more if not name.startswith("op_count_")}, set())
            told = command(server, "monitor")
            self.assertEqual(list(told)[:3], ["version", "server_state", "peer_state"])
            self.assertEqual(list(told)[-2:], ["command", "error"])
            self.assertLessEqual(wanted, set(told))

    def test_prometheus_has_the_same_without_zk(self):
        self.client_of(self.leader).ensure_path("/scraped/a")
        for server in self.everyone:
            samples = scrape(server)
            wanted = set(GAUGES + COUNTERS)
            for name in BASIC + ADVANCED:
                wanted.update([f"{name}_count", f"{name}_sum", f'{name}{{quantile="0.5"}}'])
            for name in ADVANCED:
                wanted.update([f'{name}{{quantile="0.95"}}', f'{name}{{quantile="0.99"}}'])
            if server is self.leader:
                wanted.update(LEADERS)
                self.assertGreaterEqual(sum(sample.startswith("ack_latency_count{key=") for sample in samples), 2)
            self.assertEqual(wanted - set(samples), set())
        samples = scrape(self.leader)
        self.assertGreaterEqual(samples['write_per_namespace_count{key="scraped"}'], 2)
        self.assertIn('write_per_namespace{key="scraped",quantile="0.5"}', samples)
        self.assertEqual(ask_http(self.leader.metrics_port, "/other")[0], 404)

    def test_numbers_move_with_what_they_count(self):
        client = self.client_of(self.follower)
        client.ensure_path("/moves")
        leader, follower = monitor(self.leader), monitor(self.follower)
        for number in range(50):
            client.set("/moves", b"x" * number)
            client.get("/moves")
        fired = []
        client.get("/moves", watch=fired.append)
        client.get_children("/moves", watch=fired.append)
        client.exists("/moves/new", watch=fired.append)
        client.create("/moves/new", ephemeral=True)
        client.delete("/moves/new")
        client.set("/moves", b"")
        wait_for("all three watches", lambda: len(fired) == 3)
        self.assertEqual({event.type for event in fired}, {EventType.CREATED, EventType.CHANGED, EventType.CHILD})

        def moved(before, server, name, least):
            def enough():
                return monitor(server).get(name, 0) - before.get(name, 0) >= least

            wait_for(f"{name} of server {server.id} rises by {least}", enough, 10)

        for name, least in {
            "proposal_count": 53,
            "commit_count": 53,
            "cnt_quorum_ack_latency": 53,
            "cnt_propagation_latency": 53,
            "cnt_prep_process_time": 53,
            "cnt_commit_process_time": 53,
            "cnt_fsynctime": 10,
            "cnt_sync_processor_batch_size": 10,
            "sync_processor_request_queued": 53,
            "cnt_moves_write_per_namespace": 53,
            "cnt_sync_processor_queue_size": 10,
        }.items():
            moved(leader, self.leader, name, least)
        for name, least in {
            "packets_received": 105,
            "packets_sent": 108,
            "bytes_received_count": 105 * 20,
            "response_bytes": 105 * 20,
            "watch_bytes": 3 * 30,
            "op_count_total": 105,
            "op_count_setData": 51,
            "op_count_getData": 51,
            "op_count_create": 1,
            "cnt_readlatency": 53,
            "cnt_updatelatency": 53,
            "cnt_read_commitproc_time_ms": 53,
            "cnt_write_commitproc_time_ms": 53,
            "cnt_moves_read_per_namespace": 51,
            "learner_proposal_received_count": 53,
            "learner_commit_received_count": 53,
            "cnt_proposal_latency": 53,
            "cnt_proposal_ack_creation_latency": 53,
            "cnt_commit_propagation_latency": 53,
            "cnt_propagation_latency": 53,
            "cnt_node_created_watch_count": 1,
            "cnt_node_changed_watch_count": 1,
            "cnt_node_children_watch_count": 1,
        }.items():
            moved(follower, self.follower, name, least)
        # Whose acknowledgement comes after the quorum is not waited for, and not measured.
        acknowledged = sum(monitor(self.leader).get(f"cnt_{peer.id}_ack_latency", 0) for peer in self.everyone)
        self.assertGreaterEqual(acknowledged, 2 * 53)
        self.assertEqual(monitor(self.follower)["proposal_count"], follower["proposal_count"], "a leader's")
        numbers = monitor(self.leader)
        self.assertEqual((numbers["synced_followers"], numbers["learners"], numbers["quorum_size"]), (2, 2, 3))
        self.assertGreater(numbers["leader_uptime"], 0)
        self.assertEqual(numbers["diff_count"] + numbers["snap_count"], 2)
        self.assertEqual(monitor(self.follower)["cnt_follower_sync_time"], 1)

    def test_quotas(self):
        client = self.client_of(self.leader)
        client.create("/quoted", b"four")
        client.create("/zookeeper/quota/quoted/zookeeper_limits", b"count=5,bytes=-1", makepath=True)
        client.create("/zookeeper/quota/quoted/zookeeper_stats", b"")
        client.create("/quoted/child", b"five!")
        wanted = {"count_limit": 5, "count_usage": 2, "bytes_usage": 9}
        for server in self.everyone:
            wait_for("it has applied everything", lambda server=server: server.zxid() >= client.last_zxid)
            numbers, samples = monitor(server), scrape(server)
            for name, value in wanted.items():
                self.assertEqual(numbers[f"quoted_quota_{name}_per_namespace"], value)
                self.assertEqual(samples[f'quota_{name}_per_namespace{{key="quoted"}}'], value)
            self.assertNotIn("quoted_quota_bytes_limit_per_namespace", numbers)

    def test_connections_are_counted(self):
        before = monitor(self.follower)
        client = self.client_of(self.follower)
        kept = client.client_id
        with socket.create_connection(("127.0.0.1", self.follower.client_port)):
            pass
        taken_up = self.ensemble.client(self.follower, client_id=kept)
        self.addCleanup(taken_up.stop)

        def counted():
            now = monitor(self.follower)
            return all(now[name] - before[name] >= least for name, least in {
                "connection_request_count": 2,
                "connection_revalidate_count": 1,
                "revalidate_count": 1,
                "connection_drop_count": 1,
            }.items())

        wait_for("all are counted", counted, 10)


class Admin(Operated):
    def test_every_command_has_apaches_fields(self):
        client = self.client_of(self.follower)
        client.create("/fields", ephemeral=True)
        for server in self.everyone:
            for name, fields in FIELDS.items():
                with self.subTest(server=server.id, command=name):
                    answer = command(server, name)
                    self.assertEqual(list(answer), [*fields.split(), "command", "error"])
                    self.assertEqual((answer["command"], answer["error"]), (name, None))
            stats = command(server, "server_stats")
            middle = ["proposal_stats"] if server is self.leader else []
            fields = ["version", "read_only", "server_stats", "client_response", *middle, "node_count"]
            self.assertEqual(list(stats), [*fields, "command", "error"])
            self.assertEqual(list(stats["server_stats"]), SERVER_STATS)
            self.assertEqual(list(stats["client_response"]), BUFFERS)
            self.assertEqual(stats["server_stats"]["last_processed_zxid"], server.zxid())
            stats = command(server, "stats")
            self.assertEqual(list(stats), [*fields, "connections", "secure_connections", "command", "error"])
            self.assertEqual([list(c) for c in stats["connections"]], [CONNECTION[:5]] * len(stats["connections"]))
            environment = command(server, "environment")
            self.assertEqual(list(environment)[0], "zookeeper.version")
        connections = command(self.follower, "connections")["connections"]
        ours = [c for c in connections if c["session_id"] == client.client_id[0]]
        self.assertEqual([list(c) for c in ours], [CONNECTION])
        self.assertEqual(ours[0]["session_timeout"], 10000)

    def test_aliases(self):
        for name, aliases in ALIASES.items():
            for alias in aliases.split():
                self.assertEqual(command(self.follower, alias)["command"], name)

    def test_the_ensemble(self):
        for server in self.everyone:
            leader = command(server, "leader")
            self.assertEqual(leader["is_leader"], server is self.leader)
            self.assertEqual((leader["leader_id"], leader["leader_ip"]), (self.leader.id, "127.0.0.1"))
            zab = command(server, "zabstate")
            self.assertEqual((zab["myid"], zab["voting"], zab["zabstate"]), (server.id, True, "broadcast"))
            self.assertEqual(zab["client_address"], server.address)
            self.assertEqual(int(zab["last_zxid"], 16), zab["zab_epoch"] << 32 | zab["zab_counter"])
            view = command(server, "voting_view")["current_config"]
            self.assertEqual(sorted(view), ["1", "2", "3"])
            own = view[str(server.id)]
            self.assertEqual(own["serverAddresses"], [f"127.0.0.1:{server.quorum_port}"])
            self.assertEqual(own["electionAddresses"], [f"127.0.0.1:{server.election_port}"])
            self.assertEqual(own["learnerType"], "PARTICIPANT")
            self.assertEqual(command(server, "observers")["observers"], [])
            shown = command(server, "icfg")["initial_configuration"]
            self.assertIn(f"clientPort={server.client_port}\n", shown)
            properties = command(server, "sysp")
            self.assertEqual(properties["zookeeper.admin.serverPort"], str(server.admin_port))

    def test_what_is_no_command(self):
        answer = command(self.follower, "nosuch")
        self.assertEqual(list(answer.items()), [("command", "nosuch"), ("error", "Unknown command: nosuch")])
        self.assertEqual(command(self.follower, "ruok", method="POST")["error"], "Unknown command: ruok")
        for path in ("/", "/metrics", "/commandsx"):
            status, headers, _ = ask_http(self.follower.admin_port, path)
            self.assertEqual((status, headers["Content-Type"]), (404, "text/html; charset=utf-8"), path)
        status, headers, body = ask_http(self.follower.admin_port, "/commands")
        self.assertEqual((status, headers["Content-Type"]), (200, None))
        self.assertIn('<a href="/commands/ruok">ruok</a>', body.decode())
        self.assertEqual(ask_http(self.follower.admin_port, "/commands/ruok", method="DELETE")[0], 405)

    def test_pretty_printed_as_apache_does(self):
        _, _, body = ask_http(self.follower.admin_port, "/commands/ruok")
        self.assertEqual(body.decode(), '{\n  "command" : "ruok",\n  "error" : null\n}')

    def test_a_snapshot_for_who_may_do_everything(self):
        client = self.client_of(self.leader)
        client.create("/kept", b"in the snapshot")
        port, path = self.leader.admin_port, "/commands/snapshot?streaming=true"
        status, _, body = ask_http(port, path)
        self.assertEqual((status, json.loads(body)["error"]), (401, "Auth info is missing for command: snapshot"))
        for wrong in ("nosuch x", "x509"):
            status, _, body = ask_http(port, path, headers={"Authorization": wrong})
            self.assertEqual((status, json.loads(body)["error"]), (401, "Not authenticated"))
        status, headers, body = ask_http(port, path, headers={"Authorization": "digest root:secret"})
        self.assertEqual((status, int(headers["snapshot_size"])), (200, len(body)))
        zxid = int(headers["last_zxid"], 16)
        self.assertGreaterEqual(zxid, client.exists("/kept").mzxid)

        # A server that stands alone takes it for its own.
        alone = Ensemble("from-snapshot", size=1)
        self.addCleanup(alone.close)
        data = alone[1].folder / "version-2"
        data.mkdir()
        (data / f"snapshot.{zxid:x}").write_bytes(body)
        for name in ("acceptedEpoch", "currentEpoch"):
            (data / name).write_text(str(zxid >> 32))
        alone.start()
        self.assertEqual(alone.client().get("/kept")[0], b"in the snapshot")

    def test_restore_says_why_not(self):
        headers = {"Authorization": "ip"}
        status, _, body = ask_http(self.leader.admin_port, "/commands/restore", "POST", headers, b"x")
        self.assertEqual(status, 503)
        self.assertIn("Stop the servers", json.loads(body)["error"])

    def test_connections_are_shed(self):
        client = self.client_of(self.follower)
        before = client.client_id
        states = []
        client.add_listener(states.append)
        port, headers = self.follower.admin_port, {"Authorization": "ip"}
        for wrong in (b"", b'{"percentage": 101}', b'{"percentage": -1}', b"[]"):
            status, _, body = ask_http(port, "/commands/shed_connections", "POST", headers, wrong)
            self.assertEqual((status, json.loads(body)["command"]), (400, "shed_connections"))
        status, _, body = ask_http(port, "/commands/shed", "POST", headers, b'{"percentage": 100}')
        answer = json.loads(body)
        self.assertEqual((status, answer["percentage_requested"], answer["error"]), (200, 100, None))
        self.assertGreaterEqual(answer["connections_shed"], 1)
        wait_for("the connection ends and comes back", lambda: "SUSPENDED" in states and "CONNECTED" in states)
        self.assertEqual(client.client_id, before, "the session lives on")
        self.assertIsNotNone(client.exists("/"))


class Refusals(EnsembleTest):
    def test_only_srvr_is_answered_unless_more_is_allowed(self):
        self.ensemble = Ensemble("whitelist", size=1, **{"4lw.commands.whitelist": ""})
        self.addCleanup(self.ensemble.close)
        server = self.ensemble[1]
        text = server.config.read_text().replace("4lw.commands.whitelist=\n", "")
        server.config.write_text(text)
        self.ensemble.start()
        self.assertRegex(server.four_letters("srvr"), re.compile(f"^{VERSION}{STATISTICS}$"))
        for word in (*(set(SHAPES) - {"srvr"}), "stmk"):
            message = word + ("\0" * 8 if word == "stmk" else "")
            refusal = f"{word} is not executed because it is not in the whitelist.\n"
            self.assertEqual(server.four_letters(message), refusal)

    def test_a_server_without_a_quorum(self):
        self.ensemble = Ensemble("lonely", **OPERATED)
        self.addCleanup(self.ensemble.close)
        server = self.ensemble[1]
        server.start()
        wait_for("it answers", lambda: server.four_letters("ruok"))
        self.assertEqual(server.four_letters("ruok"), "imok")
        self.assertEqual(server.four_letters("isro"), "null")
        self.assertEqual(server.four_letters("gtmk"), "306")
        self.assertTrue(server.four_letters("envi").startswith("Environment:\n"))
        self.assertEqual(server.four_letters("hash"), NOT_SERVING)
        for word in set(SHAPES) - {"ruok", "isro", "gtmk", "envi", "hash"}:
            self.assertEqual(server.four_letters(word), NOT_SERVING + "\n", word)

        wait_for("AdminServer answers", lambda: self.listens(server.admin_port))
        for name in (*FIELDS, "stats", "server_stats", "monitor", "snapshot"):
            if name != "get_trace_mask":
                answer = command(server, name)
                self.assertEqual(list(answer.items()), [("command", name), ("error", NOT_SERVING)])
        for name in ("environment", "get_trace_mask", "system_properties"):
            self.assertIsNone(command(server, name)["error"])
        samples = scrape(server)
        self.assertGreaterEqual(samples["looking_count"], 1)
        self.assertNotIn("znode_count", samples)

    def test_read_only_and_local_sessions(self):
        settings = {"localSessionsEnabled": "true", "readonlymode.enabled": "true", **OPERATED}
        self.ensemble = Ensemble("readonly", **settings)
        self.addCleanup(self.ensemble.close)
        self.ensemble.start()
        leader = self.ensemble.leader()
        wait_for("both others follow", lambda: len(self.ensemble.followers()) == 2)
        last = self.ensemble.followers()[0]
        for server, sets in ((leader, "Global Session Sets (0)/(0):\n"), (last, "Global Sessions(0):\n")):
            client = self.ensemble.client(server)
            local = f"Local Session Sets \\(\\d\\)/\\(1\\):\n1 expire at {DATE}:\n\t0x{client.client_id[0]:x}\n"
            self.assertRegex(server.four_letters("dump"), local + re.escape(sets))
            self.assertEqual((monitor(server)["local_sessions"], monitor(server)["global_sessions"]), (1, 0))
            expiries = command(server, "dump")["expiry_time_to_session_ids"]
            self.assertEqual(sum(expiries.values(), []), [client.client_id[0]])
            client.stop()
        self.assertEqual((last.four_letters("isro"), command(last, "isro")["read_only"]), ("rw", False))
        for server in self.ensemble.servers.values():
            if server is not last:
                server.kill()
        wait_for("it serves reads only", lambda: last.four_letters("isro") == "ro")
        self.assertEqual(last.mode(), "read-only")
        self.assertIn("\nREAD-ONLY mode; serving only read-only clients\nLatency", last.four_letters("srvr"))
        self.assertIn("\nREAD-ONLY mode; serving only read-only clients\nClients:\n", last.four_letters("stat"))
        self.assertTrue(command(last, "isro")["read_only"] and command(last, "srvr")["read_only"])
        self.assertEqual(command(last, "monitor")["server_state"], "read-only")

    def test_a_taken_admin_port_is_a_warning(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.ensemble = Ensemble("taken", size=1, **{"admin.enableServer": "true", "admin.serverPort": port})
            self.addCleanup(self.ensemble.close)
            self.ensemble.start()
            server = self.ensemble[1]
            wait_for("the warning", lambda: f"can't listen on 127.0.0.1:{port} (AdminServer)" in server.log.read_text())
            self.assertEqual(self.ensemble.client().get_children("/"), ["zookeeper"])

    def test_a_server_that_stands_alone(self):
        self.ensemble = Ensemble("alone", size=1, **OPERATED)
        self.addCleanup(self.ensemble.close)
        server = self.ensemble[1]
        lines = [line for line in server.config.read_text().splitlines() if not line.startswith("server.")]
        server.config.write_text("\n".join(lines) + "\n")
        self.ensemble.start()
        wait_for("AdminServer answers", lambda: self.listens(server.admin_port))
        self.assertEqual(
            list(command(server, "leader").items()),
            [("error", "server is not initialized"), ("command", "leader")],
        )
        zab = command(server, "zabstate")
        self.assertEqual((list(zab), zab["voting"], zab["zabstate"]), (["voting", "zabstate", "command", "error"], False, ""))
        self.assertEqual(command(server, "voting_view")["current_config"], {})
        self.assertEqual(command(server, "monitor")["server_state"], "standalone")
        self.assertNotIn("peer_state", command(server, "monitor"))
        self.assertTrue(server.four_letters("conf").endswith("serverId=0\n"))

    @staticmethod
    def listens(port):
        with contextlib.suppress(OSError):
            return ask_http(port, "/commands")[0] == 200
        return False


if __name__ == "__main__":
    unittest.main()
