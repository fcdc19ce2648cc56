"""Each operation of a client, through an ensemble of three."""

import threading
import unittest

from kazoo.exceptions import (
    BadVersionError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.protocol.states import EventType

from ensemble import PATIENCE, SharedEnsembleTest, wait_for


class Operations(SharedEnsembleTest):
    def test_create_get_set_exists_delete(self):
        path = self.top + "/a"
        self.assertIsNone(self.client.exists(path))
        self.assertEqual(self.client.create(path, b"one"), path)
        data, stat = self.client.get(path)
        self.assertEqual(data, b"one")
        self.assertEqual((stat.version, stat.cversion, stat.aversion, stat.numChildren), (0, 0, 0, 0))
        self.assertEqual((stat.dataLength, stat.ephemeralOwner), (3, 0))
        self.assertEqual(stat.czxid, stat.mzxid)

        changed = self.client.set(path, b"second")
        self.assertEqual((changed.version, changed.dataLength, changed.czxid), (1, 6, stat.czxid))
        self.assertGreater(changed.mzxid, stat.mzxid)
        self.assertEqual(self.client.get(path)[0], b"second")
        self.assertEqual(self.client.exists(path), changed)

        self.client.delete(path)
        self.assertIsNone(self.client.exists(path))

    def test_empty_and_large_data(self):
        large = bytes(range(256)) * 2048
        for name, data in (("empty", b""), ("large", large)):
            path = f"{self.top}/{name}"
            self.client.create(path, data)
            self.assertEqual(self.client.get(path)[0], data)

    def test_children_and_their_parents_stat(self):
        names = ["b", "a", "c"]
        for name in names:
            self.client.create(f"{self.top}/{name}")
        children, stat = self.client.get_children(self.top, include_data=True)
        self.assertEqual(sorted(children), sorted(names))
        self.assertEqual((stat.numChildren, stat.cversion, stat.version), (3, 3, 0))
        self.client.delete(self.top + "/b")
        children, later = self.client.get_children(self.top, include_data=True)
        self.assertEqual(sorted(children), ["a", "c"])
        self.assertEqual((later.numChildren, later.cversion), (2, 4))
        self.assertGreater(later.pzxid, stat.pzxid)

    def test_create2_returns_the_stat(self):
        path, stat = self.client.create(self.top + "/a", b"xy", include_data=True)
        self.assertEqual((path, stat.dataLength, stat.version), (self.top + "/a", 2, 0))
        self.assertEqual(stat, self.client.exists(path))

    def test_errors_are_the_ones_of_the_protocol(self):
        full = self.top + "/full"
        self.client.create(full)
        self.client.create(full + "/child")
        ephemeral = self.top + "/ephemeral"
        self.client.create(ephemeral, ephemeral=True)
        missing = self.top + "/missing"
        cases = [
            (NoNodeError, lambda: self.client.get(missing)),
            (NoNodeError, lambda: self.client.set(missing, b"")),
            (NoNodeError, lambda: self.client.delete(missing)),
            (NoNodeError, lambda: self.client.get_children(missing)),
            (NoNodeError, lambda: self.client.create(missing + "/child")),
            (NodeExistsError, lambda: self.client.create(full)),
            (NotEmptyError, lambda: self.client.delete(full)),
            (BadVersionError, lambda: self.client.set(full, b"", version=7)),
            (BadVersionError, lambda: self.client.delete(full + "/child", version=7)),
            (NoChildrenForEphemeralsError, lambda: self.client.create(ephemeral + "/child")),
        ]
        for error, operation in cases:
            with self.subTest(error=error.__name__):
                self.assertRaises(error, operation)

    def test_ephemeral_goes_with_its_session(self):
        path = self.top + "/e"
        owner = self.ensemble.client()
        owner.create(path, b"mine", ephemeral=True)
        stat = self.client.exists(path)
        self.assertEqual(stat.ephemeralOwner, owner.client_id[0])
        gone = threading.Event()
        self.client.exists(path, watch=lambda event: gone.set() if event.type == EventType.DELETED else None)
        owner.stop()
        self.assertTrue(gone.wait(PATIENCE), "no event for the ephemeral's end")
        self.assertIsNone(self.client.exists(path))

    def test_sequential_names_rise_without_gaps(self):
        made = [self.client.create(self.top + "/n-", sequence=True) for _ in range(12)]
        self.assertEqual(made, [f"{self.top}/n-{number:010d}" for number in range(12)])
        ephemeral = self.client.create(self.top + "/n-", sequence=True, ephemeral=True)
        self.assertEqual(ephemeral, f"{self.top}/n-{12:010d}")

    def test_transaction_does_all_or_nothing(self):
        base = self.top + "/t"
        transaction = self.client.transaction()
        transaction.create(base, b"1")
        transaction.set_data(base, b"2")
        transaction.check(base, version=1)
        transaction.create(base + "/child")
        transaction.delete(base + "/child")
        results = transaction.commit()
        self.assertEqual(results[0], base)
        self.assertEqual(results[1].version, 1)
        self.assertEqual(results[2:], [True, base + "/child", True])
        self.assertEqual(self.client.get(base)[0], b"2")
        self.assertEqual(self.client.get(base)[1].czxid, self.client.get(base)[1].mzxid)

        failing = self.client.transaction()
        failing.create(base + "/never")
        failing.check(base, version=99)
        failing.set_data(base, b"3")
        results = failing.commit()
        self.assertEqual([type(result) for result in results], [RolledBackError, BadVersionError, RuntimeInconsistency])
        self.assertIsNone(self.client.exists(base + "/never"))
        self.assertEqual(self.client.get(base)[0], b"2")

    def test_each_watch_fires_once_for_its_event(self):
        path = self.top + "/w"
        seen = []
        self.assertIsNone(self.client.exists(path, watch=lambda event: seen.append(("exists", event.type))))
        self.client.get_children(self.top, watch=lambda event: seen.append(("children", event.type)))
        other = self.ensemble.client(*reversed(self.ensemble.servers.values()))
        other.create(path)
        wait_for("two events", lambda: len(seen) == 2)
        self.assertCountEqual(seen, [("exists", EventType.CREATED), ("children", EventType.CHILD)])

        seen.clear()
        self.client.get(path, watch=lambda event: seen.append(("data", event.type)))
        other.set(path, b"1")
        other.set(path, b"2")
        wait_for("the data event", lambda: seen)
        # The other client's second write may not have reached this client's server.
        self.client.sync(path)
        self.client.get(path, watch=lambda event: seen.append(("data", event.type)))
        other.delete(path)
        wait_for("the deletion", lambda: len(seen) >= 2)
        other.create(path)
        self.client.sync(path)
        self.client.exists(path)
        self.assertEqual(seen, [("data", EventType.CHANGED), ("data", EventType.DELETED)])

    def test_an_event_comes_before_the_data_it_tells_of(self):
        path = self.top + "/order"
        self.client.create(path, b"0")
        other = self.ensemble.client(*reversed(self.ensemble.servers.values()))
        for round_number in range(1, 51):
            told = threading.Event()
            self.client.get(path, watch=lambda _event, told=told: told.set())
            pending = other.set_async(path, b"%d" % round_number)
            # Reads race with the write until the new data shows; by then the event must have been sent.
            wait_for("the new data", lambda: self.client.get(path)[0] == b"%d" % round_number)
            pending.get(timeout=PATIENCE)
            self.assertTrue(told.wait(PATIENCE), "new data was read and no event came")

    def test_pipelined_requests_keep_their_order(self):
        pending = [self.client.create_async(self.top + "/p-", b"%d" % n, sequence=True) for n in range(500)]
        made = [result.get(timeout=PATIENCE) for result in pending]
        self.assertEqual(made, [f"{self.top}/p-{number:010d}" for number in range(500)])
        reads = [(self.client.set_async(self.top, b"%d" % n), self.client.get_async(self.top)) for n in range(200)]
        for number, (written, read) in enumerate(reads):
            version = written.get(timeout=PATIENCE).version
            data, stat = read.get(timeout=PATIENCE)
            self.assertEqual((data, stat.version), (b"%d" % number, version))

    def test_written_through_one_server_read_through_the_others(self):
        clients = [self.ensemble.client(server) for server in self.ensemble.servers.values()]
        for number, writer in enumerate(clients):
            path = f"{self.top}/from{number}"
            writer.create(path, b"by %d" % number)
            for reader in clients:
                reader.sync(path)
                self.assertEqual(reader.get(path)[0], b"by %d" % number)
        listings = [sorted(client.get_children(self.top)) for client in clients]
        self.assertEqual(listings[0], listings[1])
        self.assertEqual(listings[0], listings[2])

    def test_access_lists_are_kept(self):
        acls, _ = self.client.get_acls(self.top)
        self.assertEqual([(acl.perms, acl.id.scheme, acl.id.id) for acl in acls], [(31, "world", "anyone")])


if __name__ == "__main__":
    unittest.main()
