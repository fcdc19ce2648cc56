"""Kinds of znodes that go by themselves, and quotas; across the loss of a leader and a restart."""

import time
import unittest

from kazoo.exceptions import QuotaExceededError

from ensemble import OwnEnsembleTest, wait_for
from raw import RawClient

TTL_MS = 3000
UNIMPLEMENTED = -6


class Containers(OwnEnsembleTest):
    settings = {
        "extendedTypesEnabled": "true",
        "znode.container.checkIntervalMs": 200,
        "znode.container.maxNeverUsedIntervalMs": 0,
        "snapCount": 10,
    }

    def setUp(self):
        super().setUp()
        self.client = self.ensemble.client(timeout=20.0)

    def container(self, path):
        maker = RawClient(self.ensemble.leader().client_port)
        self.assertEqual(maker.create_container(1, path), 0)
        maker.close()
        self.client.sync(path)

    def ttl(self, path):
        maker = RawClient(self.ensemble.leader().client_port)
        self.assertEqual(maker.create_ttl(1, path, TTL_MS), 0)
        maker.close()
        self.client.sync(path)

    def ttl_counts(self, server):
        """How many TTL nodes a server has seen come and go."""
        found = server.monitored()
        return [int(found[f"zk_ttl_node_{what}_count"]) for what in ("created", "deleted")]

    def goes(self, path):
        def is_gone():
            self.client.sync(path)
            return self.client.exists(path) is None

        wait_for(f"{path} is gone", is_gone)

    def restart(self):
        for server in self.ensemble.servers.values():
            server.stop()
        self.ensemble.start()

    def test_a_container_goes_after_its_last_child(self):
        self.container("/c")
        self.assertEqual(self.client.exists("/c").ephemeralOwner, 0)
        self.client.create("/c/a")
        self.client.create("/c/b")
        self.client.delete("/c/a")
        time.sleep(1.0)
        self.assertIsNotNone(self.client.exists("/c"), "it has a child")
        self.client.delete("/c/b")
        self.goes("/c")

    def test_an_unused_container_stays_when_no_time_is_set(self):
        self.container("/unused")
        time.sleep(1.0)
        self.assertIsNotNone(self.client.exists("/unused"))

    def test_a_ttl_node_goes_after_its_time_and_setting_data_gives_it_more(self):
        self.ttl("/short")
        self.ttl("/long")
        self.assertEqual(self.client.exists("/short").ephemeralOwner, 0)
        begun = time.monotonic()
        while time.monotonic() < begun + 2 * TTL_MS / 1000:
            self.client.set("/long", b"more")
            time.sleep(0.2)
        self.goes("/short")
        self.client.sync("/long")
        self.assertIsNotNone(self.client.exists("/long"))
        self.goes("/long")
        # Each server counts; a container is none of them.
        self.container("/c")
        self.client.create("/c/child")
        self.client.delete("/c/child")
        self.goes("/c")
        for server in self.ensemble.servers.values():
            wait_for(f"server {server.id} has counted", lambda: self.ttl_counts(server) == [2, 2])

    def test_a_ttl_node_with_children_stays(self):
        self.ttl("/parent")
        self.client.create("/parent/child")
        time.sleep(1.5 * TTL_MS / 1000)
        self.assertIsNotNone(self.client.exists("/parent"))
        self.client.delete("/parent/child")
        self.goes("/parent")

    def test_both_outlive_a_killed_leader_and_a_restart_and_then_go(self):
        # Enough writes for a snapshot that holds them.
        self.container("/c")
        self.ttl("/parent")
        for path in ("/c/child", "/parent/child"):
            self.client.create(path)
        for number in range(40):
            self.client.create(f"/c/child/{number}")
        leader = self.ensemble.leader()
        leader.kill()
        self.ensemble.leader()
        time.sleep(1.0)
        for path in ("/c", "/parent"):
            self.assertIsNotNone(self.client.exists(path))
        leader.start()
        self.restart()
        for path in ("/c", "/parent"):
            self.assertIsNotNone(self.client.exists(path))
        self.client.delete("/c/child", recursive=True)
        self.client.delete("/parent/child")
        self.goes("/c")
        self.goes("/parent")


class WithoutExtendedTypes(OwnEnsembleTest):
    def test_a_ttl_is_refused(self):
        raw = RawClient(self.ensemble.leader().client_port)
        self.addCleanup(raw.close)
        self.assertEqual(raw.create_ttl(1, "/t", 1000), UNIMPLEMENTED)
        self.assertEqual(raw.create(2, "/t"), 0, "the connection stays")


class Quotas(OwnEnsembleTest):
    settings = {"enforceQuota": "true", "snapCount": 10}

    def setUp(self):
        super().setUp()
        self.client = self.ensemble.client(timeout=20.0)

    def quota(self, path, limits):
        self.client.ensure_path(f"/zookeeper/quota{path}")
        self.client.create(f"/zookeeper/quota{path}/zookeeper_limits", limits.encode())
        self.client.create(f"/zookeeper/quota{path}/zookeeper_stats", b"count=0,bytes=0")

    def stats(self, path, expected):
        """Every server counts the same."""
        for server in self.ensemble.servers.values():
            reader = self.ensemble.client(server)
            reader.sync(path)
            data, stat = reader.get(f"/zookeeper/quota{path}/zookeeper_stats")
            self.assertEqual((data, stat.version), (expected, 0), f"server {server.id}")
            reader.stop()

    def test_hard_limits_refuse_also_inside_a_transaction(self):
        self.client.create("/q", b"12")
        self.quota("/q", "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3")
        self.client.create("/q/a", b"345")
        self.client.create("/q/b", b"")
        self.stats("/q", b"count=3,bytes=5")
        with self.assertRaises(QuotaExceededError):
            self.client.create("/q/c")
        with self.assertRaises(QuotaExceededError):
            self.client.set("/q/b", b"123456")
        transaction = self.client.transaction()
        transaction.create("/outside")
        transaction.create("/q/c")
        results = transaction.commit()
        self.assertIsInstance(results[1], QuotaExceededError)
        self.assertIsNone(self.client.exists("/outside"))
        self.client.set("/q/b", b"12345")
        self.client.set("/q/b", b"1234")
        self.client.delete("/q/a")
        self.client.create("/q/c", b"")
        self.stats("/q", b"count=3,bytes=6")

    def test_soft_limits_only_warn(self):
        self.client.create("/q", b"")
        self.quota("/q", "count=2,bytes=3")
        for number in range(4):
            self.client.create(f"/q/{number}", b"xx")
        self.stats("/q", b"count=5,bytes=8")
        log = self.ensemble.leader().log.read_text()
        self.assertEqual(log.count("quota of /q: "), 1, "told once in a while")

    def test_counts_outlive_a_killed_leader_and_a_restart(self):
        self.client.create("/q", b"1")
        self.quota("/q", "count=-1,bytes=-1=;countHardLimit=30")
        for number in range(29):
            self.client.create(f"/q/{number}", b"x", ephemeral=number == 0)
        self.client.delete("/q/1")
        self.stats("/q", b"count=29,bytes=29")
        leader = self.ensemble.leader()
        leader.kill()
        self.ensemble.leader()
        leader.start()
        self.ensemble.all_serve()
        self.stats("/q", b"count=29,bytes=29")
        for server in self.ensemble.servers.values():
            server.stop()
        self.ensemble.start()
        self.stats("/q", b"count=29,bytes=29")
        self.client.create("/q/1", b"x")
        with self.assertRaises(QuotaExceededError):
            self.client.create("/q/30", b"x")
        self.client.delete("/zookeeper/quota/q/zookeeper_limits")
        self.client.create("/q/30", b"x")


if __name__ == "__main__":
    unittest.main()
