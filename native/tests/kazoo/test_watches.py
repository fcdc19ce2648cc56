"""Watches that kazoo does not know, and what may not stand before or behind what."""

import struct
import threading
import unittest

from ensemble import SharedEnsembleTest
from raw import (
    ADD_WATCH,
    CHANGED,
    CHILD,
    CREATED,
    DELETED,
    EVENT_XID,
    GET_DATA,
    PERSISTENT,
    RECURSIVE,
    REMOVE_WATCHES,
    SET_WATCHES2,
    RawClient,
    event,
    string,
    strings,
)

ANY = 3
NO_WATCHER = -121


class LastingWatches(SharedEnsembleTest):
    def connect(self, server):
        client = RawClient(server.client_port, timeout_ms=10000)
        self.addCleanup(client.close)
        return client

    def change_everything(self):
        """Creates, changes and deletes the top's child and grandchild."""
        child, grandchild = self.top + "/a", self.top + "/a/b"
        self.client.create(child)
        self.client.create(grandchild)
        self.client.set(grandchild, b"1")
        self.client.set(self.top, b"1")
        self.client.delete(grandchild)
        self.client.delete(child)
        of_top = [(CHILD, self.top), (CHANGED, self.top), (CHILD, self.top)]
        of_all = [
            (CREATED, child),
            (CREATED, grandchild),
            (CHANGED, grandchild),
            (CHANGED, self.top),
            (DELETED, grandchild),
            (DELETED, child),
        ]
        return of_top, of_all

    def test_persistent_and_recursive_through_every_server(self):
        watchers = []
        for server in self.ensemble.servers.values():
            for mode in (PERSISTENT, RECURSIVE):
                client = self.connect(server)
                self.assertEqual(client.request(1, ADD_WATCH, string(self.top) + struct.pack(">i", mode)), 0)
                watchers.append((mode, client))
        for _ in range(2):
            of_top, of_all = self.change_everything()
            for mode, client in watchers:
                wanted = of_top if mode == PERSISTENT else of_all
                self.assertEqual(client.read_events(len(wanted)), wanted)
        for _, client in watchers:
            remove = string(self.top) + struct.pack(">i", ANY)
            self.assertEqual(client.request(2, REMOVE_WATCHES, remove), 0)
            self.assertEqual(client.request(3, REMOVE_WATCHES, remove), NO_WATCHER)
        self.change_everything()
        for _, client in watchers:
            self.assertEqual(client.request(4, REMOVE_WATCHES, string(self.top) + struct.pack(">i", ANY)), NO_WATCHER)

    def test_set_again_after_a_reconnect(self):
        for server in self.ensemble.servers.values():
            client = self.connect(server)
            relative = struct.pack(">q", 0)
            lists = strings(self.top, self.top + "/none"), strings(self.top), strings(), strings(self.top), strings()
            client.send(1, SET_WATCHES2, relative + b"".join(lists))
            # What was missed of the one-shot watches is told before the answer.
            missed = [(CHANGED, self.top), (DELETED, self.top + "/none"), (CREATED, self.top)]
            self.assertEqual(client.read_events(3), missed)
            self.assertEqual(client.read_answer(), (1, 0, b""))
            of_top, _ = self.change_everything()
            self.assertEqual(client.read_events(len(of_top)), of_top)


class Order(SharedEnsembleTest):
    def test_an_event_never_overtakes_the_answer_that_set_its_watch(self):
        done = threading.Event()
        self.addCleanup(done.set)

        def write():
            client = self.ensemble.client()
            while not done.is_set():
                client.set(self.top, b"x")

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        read = string(self.top) + b"\1"
        for server in self.ensemble.servers.values():
            client = RawClient(server.client_port, timeout_ms=10000)
            self.addCleanup(client.close)
            events = 0
            for xid in range(1, 300):
                client.send(xid, GET_DATA, read)
                answer, error, _ = client.read_answer()
                self.assertEqual((answer, error), (xid, 0))
                # Armed by this answer, it fires at the next write.
                answer, _, body = client.read_answer()
                self.assertEqual((answer, event(body)), (EVENT_XID, (CHANGED, self.top)))
                events += 1
            self.assertEqual(events, 299)
        done.set()
        writer.join()


if __name__ == "__main__":
    unittest.main()
