"""Kinds of sessions, read-only service, and limits: with real processes."""

import os
import signal
import struct
import threading
import time
import unittest

from kazoo.exceptions import NotReadOnlyCallError
from kazoo.protocol.states import KeeperState

from ensemble import OwnEnsembleTest, wait_for
from raw import (
    CREATE,
    EPHEMERAL,
    GET_DATA,
    MULTI_READ,
    PING,
    PING_XID,
    RawClient,
    connect_request,
    create_record,
    frame,
    is_closed,
    open_port,
    string,
)

EPHEMERAL_ON_LOCAL_SESSION = -120
NOT_READ_ONLY = -119
THROTTLED = -127


def sessions_of(server):
    """The sessions that a server knows: those of all, and its own."""
    found = server.monitored()
    return int(found["zk_global_sessions"]), int(found["zk_local_sessions"])


class LocalSessions(OwnEnsembleTest):
    settings = {"localSessionsEnabled": "true", "localSessionsUpgradingEnabled": "true"}

    def test_a_session_is_local_until_it_creates_an_ephemeral(self):
        for server in (self.ensemble.leader(), self.ensemble.followers()[0]):
            with self.subTest(role=server.mode()):
                before = sessions_of(server)
                client = self.ensemble.client(server)
                path = f"/{server.id}"
                client.create(path)
                client.create(path + "/plain")
                self.assertEqual(sessions_of(server), (before[0], before[1] + 1))
                if server.id % 2:
                    client.create(path + "/e", ephemeral=True)
                else:
                    transaction = client.transaction()
                    transaction.create(path + "/other")
                    transaction.create(path + "/e", ephemeral=True)
                    self.assertEqual(transaction.commit(), [path + "/other", path + "/e"])
                self.assertEqual(sessions_of(server), (before[0] + 1, before[1]))
                self.assertEqual(client.exists(path + "/e").ephemeralOwner, client.client_id[0])
                client.stop()
                reader = self.ensemble.client(server)
                wait_for("the ephemeral is gone", lambda path=path, reader=reader: not reader.exists(path + "/e"))
                reader.stop()
                wait_for("no session is left", lambda server=server, before=before: sessions_of(server) == before)

    def test_a_silent_local_session_is_ended_by_its_server(self):
        server = self.ensemble.followers()[0]
        before = sessions_of(server)
        silent = RawClient(server.client_port, timeout_ms=2000)
        self.addCleanup(silent.close)
        self.assertEqual(silent.create(1, "/a"), 0)
        self.assertEqual(sessions_of(server), (before[0], before[1] + 1))
        wait_for("the session is over", lambda: sessions_of(server) == before)


class LocalSessionsWithoutUpgrade(OwnEnsembleTest):
    settings = {"localSessionsEnabled": "true"}

    def test_an_ephemeral_is_refused(self):
        for server in (self.ensemble.leader(), self.ensemble.followers()[0]):
            raw = RawClient(server.client_port)
            self.assertEqual(raw.create(1, f"/{server.id}", EPHEMERAL), EPHEMERAL_ON_LOCAL_SESSION)
            self.assertEqual(raw.create(2, f"/{server.id}"), 0, "the connection stays")
            raw.close()


class ReadOnly(OwnEnsembleTest):
    settings = {
        "readonlymode.enabled": "true",
        "localSessionsEnabled": "true",
        "4lw.commands.whitelist": "*",
    }

    def test_a_minority_serves_reads_until_there_is_a_quorum(self):
        writer = self.ensemble.client()
        writer.create("/kept", b"1")
        writer.stop()
        alone, *others = self.ensemble.followers()
        leader = self.ensemble.leader()
        rest = [server for server in self.ensemble.servers.values() if server is not alone]
        leader.kill()
        for server in others:
            if server.alive():
                server.kill()
        wait_for("it serves read-only", lambda: alone.four_letters("isro") == "ro")
        self.assertEqual(alone.mode(), "read-only")
        self.assertIn("READ-ONLY mode; serving only read-only clients", alone.four_letters("srvr"))

        refused = open_port(alone.client_port)
        refused.sendall(frame(connect_request()))
        self.assertTrue(is_closed(refused), "a client that wants to write is not taken")
        refused.close()

        reader = self.ensemble.client(alone, read_only=True)
        self.assertEqual(reader.client_state, KeeperState.CONNECTED_RO)
        self.assertEqual(reader.get("/kept")[0], b"1")
        with self.assertRaises(NotReadOnlyCallError):
            reader.create("/new")
        with self.assertRaises(NotReadOnlyCallError):
            reader.sync("/kept")
        for server in rest:
            server.start()
        self.ensemble.all_serve()
        wait_for("it may write again", lambda: reader.client_state == KeeperState.CONNECTED)
        reader.create("/new", b"2")
        self.assertEqual(alone.four_letters("isro"), "rw")


class Connections(OwnEnsembleTest):
    settings = {"maxCnxns": 5, "maxClientCnxns": 3}

    def test_too_many_of_one_address(self):
        server = self.ensemble.leader()
        raws = [RawClient(server.client_port) for _ in range(3)]
        fourth = open_port(server.client_port)
        self.assertTrue(is_closed(fourth))
        fourth.close()
        raws.pop().close()

        def is_taken():
            try:
                raws.append(RawClient(server.client_port))
            except (EOFError, ConnectionError):
                return False
            return True

        wait_for("there is room again", is_taken)
        for raw in raws:
            raw.close()


class AllConnections(OwnEnsembleTest):
    settings = {"maxCnxns": 4}

    def test_too_many_in_all(self):
        server = self.ensemble.leader()
        raws = [RawClient(server.client_port) for _ in range(4)]
        fifth = open_port(server.client_port)
        self.assertTrue(is_closed(fifth))
        fifth.close()
        for raw in raws:
            self.assertEqual(raw.create(1, f"/{raw.session:x}"), 0)
            raw.close()


class LargeRequests(OwnEnsembleTest):
    settings = {"largeRequestThreshold": 10_000, "largeRequestMaxBytes": 50_000}

    def test_what_is_too_large_together_ends_the_connection(self):
        client = self.ensemble.client()
        client.create("/a", bytes(40_000))
        client.set("/a", bytes(40_000))
        raw = RawClient(self.ensemble.leader().client_port)
        # The size alone is enough: no byte of it is waited for.
        raw.socket.sendall(struct.pack(">i", 60_000))
        self.assertTrue(is_closed(raw.socket))
        raw.close()
        self.assertEqual(client.get("/a")[0], bytes(40_000))


class LargeBuffer(OwnEnsembleTest):
    """More than Apache's 1 MiB, where jute.maxbuffer allows it: on the wire, in the log and in snapshots."""

    settings = {"jute.maxbuffer": str(4 << 20), "snapCount": "10"}

    def test_large_data_come_through_and_back(self):
        large = os.urandom(3 << 20)
        client = self.ensemble.client(self.ensemble.followers()[0])
        client.create("/large", large)
        transaction = client.transaction()
        transaction.create("/other", large)
        self.assertEqual(transaction.commit(), ["/other"])
        for n in range(30):
            client.create(f"/{n}")
        client.stop()
        for server in self.ensemble.servers.values():
            server.kill()
        for server in self.ensemble.servers.values():
            server.start()
        self.ensemble.all_serve()
        for server in self.ensemble.servers.values():
            reader = self.ensemble.client(server)
            for path in ("/large", "/other"):
                reader.sync(path)
                self.assertEqual(reader.get(path)[0], large)
            reader.stop()


class SlowReader(OwnEnsembleTest):
    """A session lives by what its client says, however slowly that takes a large answer."""

    TIMEOUT_MS = 4000
    SIZE = 1_000_000
    # Together more than the server's system takes over from it.
    READS = 10

    def begin(self):
        """A client with an ephemeral node that has asked for much and read nothing of it, and one that watches."""
        server = self.ensemble.followers()[0]
        watcher = self.ensemble.client(server)
        watcher.create("/large", os.urandom(self.SIZE))
        raw = RawClient(server.client_port, timeout_ms=self.TIMEOUT_MS, receive_buffer=65536)
        self.addCleanup(raw.close)
        self.assertEqual(raw.timeout_ms, self.TIMEOUT_MS)
        self.assertEqual(raw.create(1, "/e", EPHEMERAL), 0)
        self.assertIsNotNone(watcher.exists("/e"))
        one = struct.pack(">i?i", GET_DATA, False, -1) + string("/large") + b"\0"
        raw.send(2, MULTI_READ, one * self.READS + struct.pack(">i?i", -1, True, -1))
        return raw, watcher

    def test_one_that_pings_keeps_its_session(self):
        raw, watcher = self.begin()
        begun = time.monotonic()
        taken, pings = b"", 0
        while time.monotonic() < begun + 3 * self.TIMEOUT_MS / 1000:
            raw.send(PING_XID, PING)
            pings += 1
            taken += raw.read_exactly(1000)
            time.sleep(0.2)
        self.assertIsNotNone(watcher.exists("/e"))
        (length,) = struct.unpack(">i", taken[:4])
        answer = taken[4:] + raw.read_exactly(length + 4 - len(taken))
        self.assertEqual(struct.unpack(">iqi", answer[:16])[::2], (2, 0))
        data, _ = watcher.get("/large")
        self.assertEqual(answer.count(data), self.READS)
        for _ in range(pings):
            self.assertEqual(raw.read_answer()[:2], (PING_XID, 0))
        self.assertEqual(raw.create(3, "/after"), 0)

    def test_one_that_is_silent_is_ended(self):
        raw, watcher = self.begin()
        wait_for("its ephemeral node is gone", lambda: watcher.exists("/e") is None)
        self.assertTrue(is_closed(raw.socket))


class Tokens(OwnEnsembleTest):
    settings = {"connection_throttle_tokens": 3, "connection_throttle_fill_time": 3_600_000}

    def test_more_connects_than_tokens_are_refused(self):
        server = self.ensemble.leader()
        raws = [RawClient(server.client_port) for _ in range(3)]
        with self.assertRaises((EOFError, ConnectionError)):
            RawClient(server.client_port)
        for raw in raws:
            self.assertEqual(raw.create(1, f"/{raw.session:x}"), 0)
            raw.close()


class Throttle(OwnEnsembleTest):
    settings = {"request_throttle_max_requests": 1, "request_throttle_stall_time": 10, "throttled_op_wait_time": 300}

    def test_a_request_that_waits_too_long_is_refused_and_not_done(self):
        leader = self.ensemble.leader()
        first, second = (RawClient(leader.client_port, timeout_ms=10_000) for _ in range(2))
        followers = self.ensemble.followers()
        for follower in followers:
            os.kill(follower.process.pid, signal.SIGSTOP)
        answers = []
        asks = threading.Thread(target=lambda: answers.append(first.create(1, "/first")))
        try:
            asks.start()
            wait_for("the first is under way", lambda: "zk_outstanding_requests\t1\n" in leader.four_letters("mntr"))
            second.socket.sendall(frame(struct.pack(">ii", 1, CREATE) + create_record("/second", 0)))
            time.sleep(1.0)
        finally:
            for follower in followers:
                os.kill(follower.process.pid, signal.SIGCONT)
        xid, _, error = struct.unpack(">iqi", second.read_frame()[:16])
        self.assertEqual((xid, error), (1, THROTTLED))
        asks.join()
        self.assertEqual(answers, [0])
        self.assertEqual(second.create(2, "/third"), 0)
        first.close()
        second.close()
        client = self.ensemble.client()
        client.sync("/")
        self.assertEqual(sorted(client.get_children("/")), ["first", "third", "zookeeper"])


if __name__ == "__main__":
    unittest.main()
