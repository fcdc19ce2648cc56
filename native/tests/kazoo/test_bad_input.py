"""Nonsense on every port: the connection is refused, and nobody else notices."""

import os
import random
import socket
import struct
import unittest

import raw
from ensemble import PATIENCE, OwnEnsembleTest, wait_for

GARBAGE = random.Random(7).randbytes(4096)
MAX_BUFFER = 0xFFFFF
# Enough that a server which believes lengths would need more memory than it may have.
CLAIMS = 64
ALLOWED_GROWTH_KIB = 96 * 1024


class BadInput(OwnEnsembleTest):
    def setUp(self):
        super().setUp()
        self.leader = self.ensemble.leader()
        self.follower = self.ensemble.followers()[0]
        self.epoch = self.leader.zxid() >> 32
        self.client = self.ensemble.client(self.follower, self.leader)
        self.identity = self.client.client_id
        self.client.create("/unharmed", b"0", ephemeral=True)
        self.open = []
        self.addCleanup(lambda: [connection.close() for connection in self.open])

    def connect(self, port):
        connection = raw.open_port(port)
        self.open.append(connection)
        return connection

    def send(self, port, data):
        connection = self.connect(port)
        try:
            connection.sendall(data)
        except ConnectionError:
            # Refused before all of it was read: as good as after.
            pass
        return connection

    def nobody_noticed(self):
        """The client keeps its session and writes, the same server leads in the same epoch, every process lives."""
        version = self.client.exists("/unharmed").version
        self.assertEqual(self.client.set("/unharmed", b"1").version, version + 1)
        self.assertEqual(self.client.client_id, self.identity)
        self.assertTrue(all(server.alive() for server in self.ensemble.servers.values()))
        for server in self.ensemble.servers.values():
            self.assertEqual(server.four_letters("ruok"), "imok")
        self.assertEqual(self.ensemble.leader(), self.leader)
        self.assertEqual(self.leader.zxid() >> 32, self.epoch)
        for server in self.ensemble.servers.values():
            self.assertNotIn("panicked", server.log.read_text(errors="replace"))

    def test_the_client_port_closes_on_nonsense(self):
        connect = raw.connect_request()
        cases = {
            "garbage": GARBAGE,
            "a negative length": struct.pack(">i", -1),
            "the longest length": struct.pack(">i", 0x7FFFFFFF),
            "one byte over jute.maxbuffer": struct.pack(">i", MAX_BUFFER + 1),
            "an empty frame": raw.frame(b""),
            "a short connect request": raw.frame(connect[:10]),
            "a password longer than the frame": raw.frame(connect[:24] + struct.pack(">i", 1 << 30)),
            "a request before the session": raw.frame(struct.pack(">ii", 1, 8) + raw.string("/") + b"\0"),
            "a session from the future": raw.frame(raw.connect_request(last_zxid=1 << 60)),
        }
        for server in (self.leader, self.follower):
            for name, data in cases.items():
                with self.subTest(server=server.mode(), sent=name):
                    self.assertTrue(raw.is_closed(self.send(server.client_port, data)))
        self.nobody_noticed()

    def test_half_frames_and_silence_hold_nobody_up(self):
        for server in (self.leader, self.follower):
            for data in (b"", b"\0", b"\0\0\0", raw.frame(raw.connect_request())[:20], struct.pack(">i", MAX_BUFFER)):
                for _ in range(8):
                    self.send(server.client_port, data)
        self.nobody_noticed()

    def test_nonsense_within_a_session_ends_only_that_session(self):
        world = struct.pack(">ii", 1, 31) + raw.string("world") + raw.string("anyone")
        cases = {
            "garbage": GARBAGE,
            "a frame over jute.maxbuffer": struct.pack(">i", MAX_BUFFER + 1),
            "a frame too short for a header": raw.frame(b"\0\0\0\1"),
            "an unknown operation": raw.frame(struct.pack(">ii", 1, 4711)),
        }
        for server in (self.leader, self.follower):
            for name, data in cases.items():
                with self.subTest(server=server.mode(), sent=name):
                    session = raw.RawClient(server.client_port)
                    self.open.append(session)
                    session.socket.sendall(data)
                    self.assertTrue(raw.is_closed(session.socket))
            bodies = {
                "a path longer than the frame": struct.pack(">i", 1 << 30) + b"/a",
                "a negative path length": struct.pack(">i", -7),
                "a list of two thousand million entries": raw.string("/a") + struct.pack(">ii", 0, 0x7FFFFFFF) + world,
                "nothing": b"",
            }
            for name, body in bodies.items():
                with self.subTest(server=server.mode(), sent=name):
                    session = raw.RawClient(server.client_port)
                    self.open.append(session)
                    # Refused, by an answer or by closing; never done.
                    try:
                        self.assertNotEqual(session.request(1, raw.CREATE, body), 0)
                    except (EOFError, ConnectionError):
                        pass
        self.nobody_noticed()

    @unittest.skipUnless(os.path.exists("/proc/self/status"), "memory is read from /proc")
    def test_a_claimed_length_takes_no_memory(self):
        for server in (self.leader, self.follower):
            before = server.resident_kib()
            for port in (server.client_port, server.election_port, self.leader.quorum_port):
                for length in (MAX_BUFFER, 0x7FFFFFFF):
                    for _ in range(CLAIMS):
                        self.send(port, struct.pack(">i", length))
            self.nobody_noticed()
            self.assertLess(server.resident_kib() - before, ALLOWED_GROWTH_KIB)

    def test_the_election_port_bears_nonsense(self):
        address = b"127.0.0.1:1"
        hello = struct.pack(">qqi", -65536, 99, len(address)) + address
        foreign = struct.pack(">qqi", -65536, self.follower.id, len(address)) + address
        cases = {
            "garbage": GARBAGE,
            "nothing": b"",
            "half a greeting": hello[:13],
            "an unknown protocol": struct.pack(">q", -1) + hello[8:],
            "a negative address length": struct.pack(">qqi", -65536, 1, -5),
            "an address of two thousand million bytes": struct.pack(">qqi", -65536, 1, 0x7FFFFFFF),
            "a server that is not in the list": hello + struct.pack(">i", 40) + GARBAGE[:40],
            "the id of another server": foreign + struct.pack(">i", 40) + GARBAGE[:40],
            "an over-long notification": hello + struct.pack(">i", 0x7FFFFFFF),
            "an empty notification": hello + struct.pack(">i", 0),
            "its own id": struct.pack(">qqi", -65536, self.leader.id, len(address)) + address,
        }
        for server in (self.leader, self.follower):
            for name, data in cases.items():
                with self.subTest(server=server.mode(), sent=name):
                    self.send(server.election_port, data)
                    self.nobody_noticed()

    def test_the_quorum_port_bears_nonsense(self):
        def packet(kind, zxid, data):
            body = struct.pack(">iqi", kind, zxid, len(data)) + data + struct.pack(">i", -1)
            return body

        follower_info, observer_info = 11, 16
        learner = struct.pack(">qiq", 99, 0x10000, 0)
        taken = struct.pack(">qiq", self.follower.id, 0x10000, 0)
        cases = {
            "garbage": GARBAGE,
            "nothing": b"",
            "half a packet": packet(follower_info, 0, learner)[:9],
            "another packet first": packet(3, 5, b""),
            "data of two thousand million bytes": struct.pack(">iqi", follower_info, 0, 0x7FFFFFFF),
            "a negative data length": struct.pack(">iqi", follower_info, 0, -9),
            "a learner that is not in the list": packet(follower_info, 0, learner),
            "a learner that then talks nonsense": packet(follower_info, 0, learner) + GARBAGE,
            "an observer that talks nonsense": packet(observer_info, 0, learner) + GARBAGE,
            "an epoch from the future": packet(follower_info, 0x7FFFFFFF << 32, learner),
            "a request for a client without a session": packet(follower_info, 0, learner) + packet(1, 0, GARBAGE[:64]),
        }
        for name, data in cases.items():
            with self.subTest(sent=name):
                self.send(self.leader.quorum_port, data)
                self.nobody_noticed()
        # The newest connection of a server is believed, because a server that lost its old one comes back this way: the
        # follower is disturbed for a moment, and nothing is lost.
        with self.subTest(sent="the id of a follower that is connected"):
            self.send(self.leader.quorum_port, packet(follower_info, 0, taken))
            self.client.retry(self.client.set, "/unharmed", b"2")
            self.ensemble.all_serve()
            wait_for("the session goes on", lambda: self.client.connected)
            self.nobody_noticed()

    def test_many_connections_at_once(self):
        for _ in range(200):
            connection = socket.create_connection(("127.0.0.1", self.follower.client_port), timeout=PATIENCE)
            self.open.append(connection)
        self.nobody_noticed()
        for connection in self.open:
            connection.close()
        self.nobody_noticed()


if __name__ == "__main__":
    unittest.main()
