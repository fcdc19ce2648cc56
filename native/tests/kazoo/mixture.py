"""A load of everything that changes a tree: all kinds of znodes, multis that succeed and that fail, access lists,
sessions that come and go. Names are few, so that operations meet; what each of them comes to does not matter, but all
servers must agree on it."""

import random
import struct
import threading
import time

from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.serialization import Create
from kazoo.security import OPEN_ACL_UNSAFE, make_acl, make_digest_acl

from ensemble import PATIENCE, wait_for
from raw import CONTAINER, CREATE_CONTAINER, CREATE_TTL, TTL

WINDOW = 16
FOLDERS = 5
NAMES = 8
# A session that ends takes its znodes along.
SESSION = 100
# What an operation may come to, for its meeting others.
HARMLESS = {
    "ok", "failed multi", "NoNodeError", "NodeExistsError", "NotEmptyError", "BadVersionError",
    "NoChildrenForEphemeralsError",
}  # fmt: skip
# Short, so that some end without a word of their client's.
TIMEOUT = 6.0
# Everybody may do everything, and then some: the lists differ, the rights do not.
LISTS = [
    OPEN_ACL_UNSAFE,
    [*OPEN_ACL_UNSAFE, make_acl("ip", "10.0.0.0/8", read=True)],
    [*OPEN_ACL_UNSAFE, make_digest_acl("me", "secret", all=True)],
]


class CreateContainer(Create):
    type = CREATE_CONTAINER


class CreateTtl(Create):
    """Lives for an hour, unless it has children."""

    type = CREATE_TTL

    def serialize(self):
        return super().serialize() + struct.pack(">q", 3_600_000)


class Mixture:
    """Operations under `/mixture` until it is stopped, WINDOW of them in flight."""

    def __init__(self, ensemble, seed=1):
        self.ensemble = ensemble
        self.chance = random.Random(seed)
        self.top = "/mixture"
        # How often each kind of outcome came, by the error's name; "ok" for none.
        self.outcomes = {}
        self._lock = threading.Lock()
        self._room = threading.Semaphore(WINDOW)
        self._stop = threading.Event()
        self.client = ensemble.client(timeout=TIMEOUT)
        self.client.create(self.top)
        self._passing = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = 0
        while not self._stop.is_set():
            if number % SESSION == 0:
                self._next_session()
            client = self._passing if self._passing and self.chance.random() < 0.2 else self.client
            self._room.acquire()
            try:
                self._operation(client, number).rawlink(self._done)
            except (KazooException, KazooTimeoutError):
                # Not connected: nothing was sent.
                self._room.release()
                time.sleep(0.01)
            number += 1
        if self._passing:
            self._passing.stop()

    def _next_session(self):
        """Ends the passing session and begins another."""
        try:
            if self._passing:
                self._passing.stop()
                self._passing.close()
            self._passing = self.ensemble.client(timeout=TIMEOUT)
        except (KazooException, KazooTimeoutError):
            self._passing = None

    def _done(self, result):
        name = "ok" if result.successful() else type(result.exception).__name__
        failed = isinstance(result.value, list) and any(isinstance(one, Exception) for one in result.value)
        with self._lock:
            name = "failed multi" if failed else name
            self.outcomes[name] = self.outcomes.get(name, 0) + 1
        self._room.release()

    def _path(self):
        folder = f"{self.top}/{self.chance.randrange(FOLDERS)}"
        return folder if self.chance.random() < 0.2 else f"{folder}/{self.chance.randrange(NAMES)}"

    def _operation(self, client, number):
        """Sends one; its asynchronous result."""
        path, data = self._path(), str(number).encode()
        kind = self.chance.choices(
            ["create", "container", "ttl", "set", "delete", "access", "multi"], [30, 5, 5, 25, 20, 5, 10]
        )[0]
        if kind == "create":
            ephemeral, sequence, stat = (self.chance.random() < part for part in (0.3, 0.1, 0.3))
            acl = self.chance.choice(LISTS)
            return client.create_async(path, data, acl, ephemeral=ephemeral, sequence=sequence, include_data=stat)
        if kind in ("container", "ttl"):
            record, flags = (CreateContainer, CONTAINER) if kind == "container" else (CreateTtl, TTL)
            result = client.handler.async_result()
            client._call(record(path, data, OPEN_ACL_UNSAFE, flags), result)
            return result
        if kind == "set":
            return client.set_async(path, data, self._version())
        if kind == "delete":
            return client.delete_async(path, self._version())
        if kind == "access":
            return client.set_acls_async(path, self.chance.choice(LISTS), self._version())
        transaction = client.transaction()
        for _ in range(self.chance.randrange(1, 6)):
            path = self._path()
            kind = self.chance.choice(["create", "set", "delete", "check"])
            if kind == "create":
                transaction.create(path, data, ephemeral=self.chance.random() < 0.3)
            elif kind == "set":
                transaction.set_data(path, data, self._version())
            elif kind == "delete":
                transaction.delete(path)
            else:
                transaction.check(path, self._version())
        return transaction.commit_async()

    def _version(self):
        return -1 if self.chance.random() < 0.8 else self.chance.randrange(5)

    def count(self):
        """How many operations were answered."""
        with self._lock:
            return sum(self.outcomes.values())

    def errors(self):
        """The outcomes that have another reason than what the tree was like."""
        with self._lock:
            return set(self.outcomes) - HARMLESS

    def __str__(self):
        with self._lock:
            most_first = sorted(self.outcomes.items(), key=lambda each: -each[1])
        return f"{self.count()} operations of all kinds ({', '.join(f'{name} {count}' for name, count in most_first)})"

    def wait_for_more(self, more):
        wanted = self.count() + more
        wait_for(f"{more} more operations of the mixture", lambda: self.count() >= wanted)

    def stop(self):
        """Ends the load and waits for the end of its sessions: the tree rests then."""
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the mixture does not end"
        for _ in range(WINDOW):
            assert self._room.acquire(timeout=PATIENCE), "an operation was never answered, not even with an error"
        self.client.stop()
        reader = self.ensemble.client(timeout=30.0)

        def nobodys():
            paths = [f"{self.top}/{name}" for name in reader.get_children(self.top)]
            paths += [f"{path}/{name}" for path in paths for name in reader.get_children(path)]
            stats = [reader.exists(path) for path in paths]
            return not any(stat and stat.ephemeralOwner for stat in stats)

        wait_for("the mixture's sessions end", nobodys)
        reader.stop()
