"""The power fails while servers write: nothing that was acknowledged is lost or altered.

All servers of an ensemble are stopped in one moment, their disks are copied as they are, and servers that start on the
copies must have every write acknowledged until then. ZEBU_POWER_CUTS sets how many cuts one server alone and three
together go through; ZEBU_POWER_SEED when they come.
"""

import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from disks import Disk, fast_folder, why_not
from ensemble import PATIENCE, Ensemble, EnsembleTest, wait_for

CUTS = int(os.environ.get("ZEBU_POWER_CUTS", "5"))
SEED = int(os.environ.get("ZEBU_POWER_SEED", "1"))
WINDOW = 32
# After so many cuts the ensemble begins anew, with empty disks.
LIFE = min(5, max(1, CUTS // 2))
# A new log file and a snapshot every few dozen transactions.
SETTINGS = {"snapCount": 100}
# With preallocation the log goes past the page cache and so is on these disks at once, only not all that belongs to it;
# without, it is nowhere until it is synced. One life is of the one kind, the next of the other.
PREALLOCATION = (256, 0)
TOP = "/power"


def data_of(number):
    """What the write of this number writes: different from all others, some of it over several blocks of the disk."""
    length = 9000 if number % 40 == 0 else number * 7919 % 300
    return (b"%d/" % number * (length // 2 + 1))[:length]


class Writes:
    """A client that creates znodes, WINDOW at a time, while it is let; it remembers which are acknowledged as what."""

    def __init__(self, ensemble):
        self.client = ensemble.client(timeout=30.0)
        self.client.create(TOP)
        # By number: the transaction that made it.
        self.acknowledged = {}
        self.sent = 0
        self._free = threading.Semaphore(WINDOW)
        self._go = threading.Event()
        self._end = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            self._free.acquire()
            self._go.wait()
            if self._end:
                return
            number, self.sent = self.sent, self.sent + 1

            def done(result, number=number):
                if result.successful():
                    self.acknowledged[number] = result.value[1].czxid
                self._free.release()

            try:
                self.client.create_async(f"{TOP}/{number}", data_of(number), include_data=True).rawlink(done)
            except Exception:
                # Not connected: nothing was sent.
                self._free.release()
                time.sleep(0.01)

    def go(self):
        self._go.set()

    def pause(self):
        self._go.clear()

    def wait_for_more(self, more):
        wanted = len(self.acknowledged) + more
        wait_for(f"{more} more acknowledged writes", lambda: len(self.acknowledged) >= wanted)

    def settled(self):
        """What is acknowledged; to be asked while no server runs, when what they have said is soon heard."""
        while True:
            before = len(self.acknowledged)
            time.sleep(0.02)
            if len(self.acknowledged) == before:
                return dict(self.acknowledged)

    def end(self):
        self._end = True
        self._go.set()
        self._free.release()
        self._thread.join(PATIENCE)


class Powered(Ensemble):
    """Servers each with its data on a disk of its own."""

    def __init__(self, name, disks, **settings):
        self.disks = dict(enumerate(disks, start=1))
        for server_id, disk in self.disks.items():
            (disk.folder / "myid").write_text(f"{server_id}\n")
        settings = {**SETTINGS, "dataDir": lambda server: self.disks[server.id].folder, **settings}
        super().__init__(name, size=len(disks), **settings)

    def close(self):
        super().close()
        for disk in self.disks.values():
            disk.remove()

    def version_2(self, server_id):
        return self.disks[server_id].folder / "version-2"

    def names(self, server_id):
        return set(os.listdir(self.version_2(server_id)))

    def epochs(self):
        """accepted and current of each server, as its files say."""
        return {server_id: tuple(epoch_in(self.version_2(server_id) / name) for name in ("acceptedEpoch", "currentEpoch"))
                for server_id in self.disks}

    def freeze(self):
        """Stops all that run, in one moment."""
        running = [server.process.pid for server in self.servers.values() if server.alive()]
        for pid in running:
            os.kill(pid, signal.SIGSTOP)
        for pid in running:
            os.waitpid(pid, os.WUNTRACED)
        return running


def epoch_in(path):
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return 0


def kind_of(name):
    """Which kind of file it is."""
    kind = next((kind for kind in ("log", "snapshot", "Epoch") if kind in name), "other")
    return kind.lower()


def contents(folder):
    """All files, by name; none of a folder that is not there."""
    return {path.name: path.read_bytes() for path in folder.glob("*")}


class Power(EnsembleTest):
    @classmethod
    def setUpClass(cls):
        parent = os.environ.get("ZEBU_TEST_DIR")
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="zebu-power-", dir=fast_folder(parent)))
        cls.addClassCleanup(cls.folder.rmdir)
        cls.impossible = why_not(cls.folder)

    def setUp(self):
        if self.impossible:
            # Whoever asks for a number of cuts is not told that all is well without them.
            self.assertNotIn("ZEBU_POWER_CUTS", os.environ, self.impossible)
            self.skipTest(self.impossible)
        self.chance = random.Random(SEED)
        # How often which moment was chosen, and what of which kind the disks did not have yet.
        self.moments, self.lost_kinds = collections.Counter(), collections.Counter()
        self.written = self.checked = 0

    # -- When the power fails

    def any_moment(self, live):
        time.sleep(self.chance.uniform(0, 0.1))

    def new_file(self, kind, ending=""):
        """As soon as a server has a new file of this kind, or a very little later."""

        def moment(live):
            server_id = self.chance.choice(list(live.disks))
            before = {name for name in live.names(server_id) if not name.endswith(".tmp")}
            deadline = time.monotonic() + PATIENCE
            while not any(name.startswith(kind) and name.endswith(ending) for name in live.names(server_id) - before):
                self.assertLess(time.monotonic(), deadline, f"no new {kind}")
            time.sleep(self.chance.choice((0, 0, 0.001, 0.005)))

        return moment

    def new_epoch(self, live):
        """While a leader is found: one server is killed and started again, and the power fails before or after the
        others have written what they promise each other."""
        server = live.leader()
        watched = self.chance.choice([one for one in live.disks if one != server.id] or [server.id])
        before = live.epochs()[watched]
        server.kill()
        if len(live.disks) == 1 or self.chance.random() < 0.5:
            server.start()
        if len(live.disks) > 1 and self.chance.random() < 0.7:
            wait_for("a new epoch", lambda: live.epochs()[watched] != before)
            time.sleep(self.chance.choice((0, 0, 0.002, 0.02)))
        else:
            time.sleep(self.chance.uniform(0, 0.8))

    def moment(self):
        every = {
            "any moment": self.any_moment,
            "a new log": self.new_file("log."),
            "a snapshot being written": self.new_file("snapshot.", ".tmp"),
            "a new snapshot": self.new_file("snapshot."),
            "a new epoch": self.new_epoch,
        }
        # All come equally often.
        name = list(every)[sum(self.moments.values()) % len(every)]
        self.moments[name] += 1
        return every[name]

    # -- The cut, and what must be true after it

    def cut(self, live, writes, moment):
        """The acknowledged writes, and the disks as they are, at a moment under load."""
        writes.go()
        writes.wait_for_more(self.chance.randint(30, 150))
        moment(live)
        frozen = live.freeze()
        try:
            disks = [disk.cut(self.folder, f"after{server_id}") for server_id, disk in live.disks.items()]
            acknowledged, sent = writes.settled(), writes.sent
            epochs = live.epochs()
            cached = {server_id: contents(live.version_2(server_id)) for server_id in live.disks}
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        writes.pause()
        return disks, acknowledged, sent, epochs, cached

    def start_after(self, disks, **settings):
        """Servers on disks whose power was cut."""
        self.addCleanup(lambda: [disk.remove() for disk in disks])
        for disk in disks:
            disk.mount()
        after = self.ensemble = Powered("after", disks, **settings)
        self.addCleanup(after.close)
        return after

    def note_what_was_lost(self, after, cached):
        """Counts which kinds of file the kernel had and the disks had not, or not so."""
        kinds = set()
        for server_id, files in cached.items():
            durable = contents(after.version_2(server_id))
            kinds |= {kind_of(name) for name in files.keys() | durable.keys() if files.get(name) != durable.get(name)}
        self.lost_kinds.update(kinds or {"nothing"})

    def check_epochs(self, after, acknowledged, epochs):
        durable = after.epochs()
        for server_id, (accepted, current) in durable.items():
            self.assertGreaterEqual(accepted, current, f"server {server_id}")
            self.assertTrue(accepted <= epochs[server_id][0] and current <= epochs[server_id][1], (durable, epochs))
        if len(durable) > 1:
            epoch = max(acknowledged.values()) >> 32
            holders = [one for one, (_, current) in durable.items() if current >= epoch]
            self.assertGreater(len(holders) * 2, len(durable), f"epoch {epoch} is acknowledged: {durable}")

    def check_files(self, after):
        """What an operator's tool says of the disks before a server has touched them."""
        for server_id, disk in after.disks.items():
            done = subprocess.run([os.environ["ZEBU"], "data", "verify", disk.folder, "--json"], capture_output=True,
                                  text=True, timeout=PATIENCE, check=False)
            verdict = json.loads(done.stdout)
            self.assertTrue(verdict["start"]["starts"], f"server {server_id}: {verdict}")

    def lost_or_altered(self, after, acknowledged, sent):
        """Numbers of acknowledged writes that a server does not have, and of writes that it has otherwise."""
        lost, altered = set(), set()
        for server in after.servers.values():
            reader = after.client(server)
            reader.sync("/")
            there = {}
            if reader.exists(TOP):
                for part in range(0, sent, 500):
                    asked = {number: reader.get_async(f"{TOP}/{number}") for number in range(part, min(sent, part + 500))}
                    for number, result in asked.items():
                        result.wait(PATIENCE)
                        if result.successful():
                            there[number] = result.value
            lost |= acknowledged.keys() - there.keys()
            altered |= {number for number, (data, stat) in there.items()
                        if data != data_of(number) or acknowledged.get(number, stat.czxid) != stat.czxid}
            reader.stop()
        return lost, altered

    def go_through(self, size):
        live = None
        for number in range(CUTS):
            if number % LIFE == 0:
                if live:
                    writes.end()
                    live.close()
                disks = [Disk(self.folder, f"disk{server_id}").make() for server_id in range(1, size + 1)]
                self.addCleanup(lambda disks=disks: [disk.remove() for disk in disks])
                settings = {"preAllocSize": PREALLOCATION[number // LIFE % len(PREALLOCATION)]}
                live = self.ensemble = Powered("live", disks, **settings)
                self.addCleanup(live.close)
                live.start()
                writes = Writes(live)
            self.ensemble = live
            disks, acknowledged, sent, epochs, cached = self.cut(live, writes, self.moment())
            after = self.start_after(disks, **settings)
            with self.subTest(cut=number):
                self.note_what_was_lost(after, cached)
                self.check_epochs(after, acknowledged, epochs)
                self.check_files(after)
                after.start()
                self.assertGreaterEqual(after.leader().zxid(), max(acknowledged.values()), "the history is shorter")
                self.assertEqual(self.lost_or_altered(after, acknowledged, sent), (set(), set()))
                client = after.client()
                _, stat = client.create("/after", include_data=True)
                self.assertGreater(stat.czxid, max(acknowledged.values()), "a zxid is given twice")
                self.checked += len(acknowledged)
            after.close()
            # Those that were killed for the moment come back.
            live.start()
        writes.end()
        print(
            f"\n{size} server(s), {CUTS} cuts at {dict(self.moments)}; {self.checked} acknowledged writes looked for on "
            f"each server. Not on a disk yet, in so many cuts: {dict(self.lost_kinds)}",
            file=sys.stderr,
        )

    def test_one_server_alone(self):
        self.go_through(1)

    def test_three_servers_lose_power_at_once(self):
        self.go_through(3)

    def test_without_syncs_this_test_finds_what_is_lost(self):
        """A server told not to sync its log acknowledges what a power cut takes away: a test that does not see that
        would be worth nothing."""
        disk = Disk(self.folder, "unsynced").make()
        self.addCleanup(disk.remove)
        settings = {"forceSync": "no", "snapCount": 100000}
        live = self.ensemble = Powered("unsynced", [disk], **settings)
        self.addCleanup(live.close)
        live.start()
        writes = Writes(live)
        disks, acknowledged, sent, _, _ = self.cut(live, writes, self.any_moment)
        writes.end()
        after = self.start_after(disks, **settings)
        after.start()
        lost, _ = self.lost_or_altered(after, acknowledged, sent)
        self.assertGreater(len(lost), len(acknowledged) // 2)


if __name__ == "__main__":
    unittest.main()
