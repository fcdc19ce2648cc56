"""A pipelined writing load that remembers what was acknowledged, and checks it afterwards."""

import threading
import time

from kazoo.client import KazooClient

from ensemble import PATIENCE, wait_for

WINDOW = 64
PER_FOLDER = 2000


class ZxidWatcher(KazooClient):
    """A client that notices when the zxids it is shown go back."""

    went_back = ()
    _shown = 0

    @property
    def last_zxid(self):
        return self._shown

    @last_zxid.setter
    def last_zxid(self, zxid):
        # Zero is the library's own reset for a new session, not an answer.
        if 0 < zxid < self._shown:
            self.went_back = (*self.went_back, (hex(self._shown), hex(zxid)))
        self._shown = zxid


class Load:
    """One client that keeps WINDOW creates in flight, each with a number of its own, until it is stopped."""

    def __init__(self, ensemble, name="load"):
        self.top = f"/{name}"
        self.client = ensemble.client(timeout=30.0, client_class=ZxidWatcher)
        self.client.create(self.top)
        self.acknowledged = {}
        self.acknowledged_at = []
        self.failed = 0
        # How often each kind of error came, by name.
        self.errors = {}
        self.folders = []
        self._lock = threading.Lock()
        self._room = threading.Semaphore(WINDOW)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = 0
        while not self._stop.is_set():
            if number % PER_FOLDER == 0:
                folder = f"{self.top}/{number // PER_FOLDER:05d}"
                if not self._make_folder(folder):
                    continue
            self._room.acquire()
            self._send(folder, number)
            number += 1

    def _make_folder(self, folder):
        """A folder may exist already: its creation may have been done and its answer lost."""
        try:
            self.client.ensure_path(folder)
        except Exception:
            time.sleep(0.02)
            return False
        self.folders.append(folder)
        return True

    def _send(self, folder, number):
        def done(result):
            with self._lock:
                if result.successful():
                    self.acknowledged[number] = result.value
                    self.acknowledged_at.append(time.monotonic())
                else:
                    self.failed += 1
                    name = type(result.exception).__name__
                    self.errors[name] = self.errors.get(name, 0) + 1
            self._room.release()

        try:
            self.client.create_async(f"{folder}/{number:08d}-", sequence=True).rawlink(done)
        except Exception:
            # Not connected: nothing was sent, and the next number is tried in a moment.
            self._room.release()
            time.sleep(0.01)

    def count(self):
        with self._lock:
            return len(self.acknowledged)

    def wait_for_more(self, more):
        """Waits until so many further writes are acknowledged."""
        wanted = self.count() + more
        wait_for(f"{more} more acknowledged writes", lambda: self.count() >= wanted)

    def gap_after(self, moment):
        """Seconds without an acknowledged write around a moment: from the last one before it to the first one of a
        server that was not already on its way."""
        with self._lock:
            times = [moment, *(at for at in self.acknowledged_at if at >= moment)]
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    def stop(self):
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the load does not end"
        for _ in range(WINDOW):
            assert self._room.acquire(timeout=PATIENCE), "a write was never answered, not even with an error"

    def check(self, test, ensemble):
        """What every server has is exactly what may be: each acknowledged write once under the acknowledged name, no
        write twice, and the same on all servers."""
        test.assertEqual(self.client.went_back, (), "the client was shown zxids that go back")
        listings = []
        for server in ensemble.servers.values():
            reader = ensemble.client(server)
            reader.sync(self.top)
            pending = [(folder, reader.get_children_async(folder)) for folder in self.folders]
            listings.append({f"{folder}/{name}" for folder, names in pending for name in names.get(timeout=PATIENCE)})
            reader.stop()
        for listing in listings[1:]:
            test.assertEqual(listing ^ listings[0], set(), "servers differ")
        found = listings[0]
        lost = {path for path in self.acknowledged.values() if path not in found}
        test.assertEqual(lost, set(), "acknowledged writes are lost")
        numbers = [path.rsplit("/", 1)[1].split("-")[0] for path in found]
        test.assertEqual(len(numbers), len(set(numbers)), "a write was done twice")
        sequences = [path.rsplit("-", 1)[1] + path.rsplit("/", 1)[0] for path in found]
        test.assertEqual(len(sequences), len(set(sequences)), "a sequence number was given twice")
        in_order = [self.acknowledged[number] for number in sorted(self.acknowledged)]
        test.assertEqual(
            in_order,
            sorted(in_order, key=lambda path: (path.rsplit("/", 1)[0], path.rsplit("-", 1)[1])),
            "sequence numbers do not follow the order in which the client wrote",
        )
