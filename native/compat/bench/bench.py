"""Zebu beside Apache's server: three servers of each, on the same settings and the same disk, under `zebu bench`.

Both ensembles are up all the time and have their turns. One table at the end; a line for each figure that is to hold.
The programs are named by the environment variables APACHE_CLASS_PATH and ZEBU. `QUICK=1` measures briefly, to see that
everything works: its figures mean nothing.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from systems import ApacheServer  # noqa: E402

from ensemble import Ensemble, wait_for  # noqa: E402

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 2 if QUICK else 7
SECONDS = 2 if QUICK else 10
ZNODES = 20_000 if QUICK else 1_000_000
KILLS = 2 if QUICK else 7
# For the snapshots: pairs of measurements, operations a second, and writes between two snapshots.
PAIRS = 1 if QUICK else 5
RATE = 4000
OFTEN = 2_000 if QUICK else 5_000
# What Apache's manual and zoo_sample.cfg have, for both; no snapshot falls into a measurement that is not about it.
SETTINGS = {
    "tickTime": 2000,
    "initLimit": 10,
    "syncLimit": 5,
    "preAllocSize": 65536,
    "snapCount": 10_000_000,
    "snapSizeLimitInKb": 1 << 30,
    "forceSync": "yes",
    "4lw.commands.whitelist": "*",
}


class WarmApacheServer(ApacheServer):
    """With the heap that the reference measurements gave it."""

    def command(self):
        command = super().command()
        return [word if word != "-Xmx128m" else "-Xmx1500m" for word in command]


class Apache(Ensemble):
    server_class = WarmApacheServer


class Line:
    """A figure that is to hold, and the bound: zebu's by Apache's, or one thing of zebu's by another."""

    def __init__(self, what, ratio, bound, at_least):
        self.what, self.ratio, self.bound, self.at_least = what, ratio, bound, at_least

    def holds(self):
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound

    def __str__(self):
        sign = ">=" if self.at_least else "<="
        return f"{'holds' if self.holds() else 'FAILS'}  {self.what:58} {self.ratio:6.2f}  ({sign} {self.bound:.2f})"


def hosts(ensemble):
    return ",".join(server.address for server in ensemble.servers.values())


def pids(ensemble):
    return ",".join(str(server.process.pid) for server in ensemble.servers.values())


def bench(*arguments):
    """Runs `zebu bench`; shows its table and returns its report."""
    report = pathlib.Path(os.environ["ZEBU_TEST_DIR"]) / "report.json"
    command = [os.environ["ZEBU"], "bench", *map(str, arguments), "--json", str(report)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}"
    print(done.stdout, flush=True)
    return json.loads(report.read_text())


def ratio(report, name):
    return next(entry["median"] for entry in report["ratios"] if entry["name"] == name)


class Pair:
    """Both ensembles."""

    def __init__(self):
        self.zebu, self.apache = Ensemble("zebu", **SETTINGS), Apache("apache", **SETTINGS)

    def __enter__(self):
        try:
            self.zebu.start()
            self.apache.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.zebu.close()
        self.apache.close()

    def compare(self, *arguments, with_pids=True):
        both = (self.zebu, self.apache)
        options = [word for ensemble in both for word in ("--pids", pids(ensemble))] if with_pids else []
        names = ("--name", "zebu", "--name", "apache")
        return bench(*arguments, "--compare", *map(hosts, both), *names, *options)

    def restart_dead(self):
        for ensemble in (self.zebu, self.apache):
            for server in ensemble.servers.values():
                if not server.alive():
                    server.process.wait()
                    server.process = None
                    server.start()

    def kill(self, address):
        for ensemble in (self.zebu, self.apache):
            for server in ensemble.servers.values():
                if server.address == address:
                    server.process.kill()


def load(pair):
    """Throughput and CPU at 100 % writes and 100 % reads, then mixtures that no line is about."""
    common = ("--connections", 32, "--in-flight", 16, "--duration", SECONDS, "--rounds", ROUNDS)
    warm = 3 if QUICK else 30
    for reads in (0, 100):
        bench("mix", "--reads", reads, "--duration", warm, "-s", hosts(pair.apache), "--name", "apache, warming up")
    for reads, what in ((0, "writes"), (100, "reads")):
        report = pair.compare("mix", "--reads", reads, *common)
        yield Line(f"throughput at 100 % {what}", ratio(report, "throughput"), 3.0, True)
        yield Line(f"server CPU of one of 100 % {what}", ratio(report, "server CPU"), 1 / 3, False)
    pair.compare("mix", "--reads", 50, *common)
    pair.compare("create", "--connections", 1, "--duration", SECONDS, "--rounds", ROUNDS)
    pair.compare("watch", "--watchers", 1000, "--changes", 10, "--rounds", ROUNDS)
    pair.compare("sessions", "--duration", SECONDS, "--rounds", ROUNDS)


def live_heap(server):
    """Bytes that a Java process holds after a full collection."""
    pid = str(server.process.pid)
    subprocess.run(["jcmd", pid, "GC.run"], stdout=subprocess.DEVNULL, check=True)
    histogram = subprocess.run(["jcmd", pid, "GC.class_histogram"], capture_output=True, text=True, check=True).stdout
    total = next(line for line in histogram.splitlines() if line.startswith("Total"))
    return int(total.split()[2])


def memory(pair):
    """Zebu's resident memory against Apache's. What is live in Java's heap, where the JDK's jcmd tells it, is told beside
    it: so much a server with the smallest possible heap would need."""
    before = None
    try:
        before = [live_heap(server) for server in pair.apache.servers.values()]
    except FileNotFoundError:
        print("without jcmd (default-jdk-headless) Java's live heap is not known; compared is what is resident")
    report = pair.compare("memory", "--znodes", ZNODES, "--keep", "--rounds", 1)
    yield Line("resident memory of 100-byte znodes", ratio(report, "resident memory of a znode"), 0.5, False)
    if before is not None:
        after = [live_heap(server) for server in pair.apache.servers.values()]
        live = sum(then - now for then, now in zip(after, before)) / len(after) / ZNODES
        zebu = next(target for target in report["targets"] if target["name"] == "zebu")
        figures = {metric["name"]: metric["value"] for metric in zebu["rounds"][0]["metrics"]}
        resident = figures["resident memory of a znode"]
        print(f"a 100-byte znode: {resident:.0f} bytes resident in zebu, {live:.0f} bytes live in Java\n")


def gap(pair):
    """kill -9 of the leader. `zebu bench` has servers killed and started again through this process."""
    requests = pathlib.Path(os.environ["ZEBU_TEST_DIR"]) / "kill"
    signal.signal(signal.SIGUSR1, lambda *_: pair.kill(requests.read_text().strip()))
    signal.signal(signal.SIGUSR2, lambda *_: pair.restart_dead())
    kill = f'echo "$ZEBU_BENCH_LEADER" > {requests}; kill -USR1 {os.getpid()}'
    restart = f"kill -USR2 {os.getpid()}"
    report = pair.compare("kill", "--kill", kill, "--restart", restart, "--rounds", KILLS, with_pids=False)
    yield Line("longest gap in writes, kill -9 of the leader", ratio(report, "longest gap in writes"), 1 / 3, False)


def again(ensemble, snap_count):
    """Restarts all servers with this `snapCount`."""
    for server in ensemble.servers.values():
        server.stop()
        ensemble.configure(server, SETTINGS | {"snapCount": snap_count})
    ensemble.start()


def snapshots_made(ensemble):
    """How many snapshots each server has."""
    return [len(list(server.folder.glob("version-2/snapshot.*"))) for server in ensemble.servers.values()]


def tail(ensemble, name):
    """p99.9 of writes at a rate that leaves the servers room, in ms. (What only begins to run is warmed up before.)"""
    common = ("--reads", 50, "--rate", RATE, "-s", hosts(ensemble), "--name", name)
    bench("mix", "--duration", 2 if QUICK else 6, *common)
    report = bench("mix", "--duration", SECONDS, *common)
    metrics = report["targets"][0]["rounds"][0]["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "write p99.9")


def snapshot(pair):
    """Writes while a snapshot of many znodes is made at all times, by turns with none."""
    for name, ensemble in (("zebu", pair.zebu), ("apache", pair.apache)):
        bench("memory", "--znodes", ZNODES, "--keep", "-s", hosts(ensemble), "--name", name)
        ratios = []
        for number in range(PAIRS):
            found = {}
            for busy in (True, False) if number % 2 else (False, True):
                again(ensemble, OFTEN if busy else SETTINGS["snapCount"])
                before = snapshots_made(ensemble)
                found[busy] = tail(ensemble, f"{name}{'+' if busy else '-'}snaps")

                def made():
                    return [now - then for now, then in zip(snapshots_made(ensemble), before)]

                if busy:
                    wait_for("each server has made a snapshot", lambda: all(made()))
                else:
                    assert not any(made()), f"snapshots made: {made()}"
            ratios.append(found[True] / found[False])
            print(f"{name}: p99.9 {found[True]:.1f} ms with, {found[False]:.1f} ms without: {ratios[-1]:.2f}", flush=True)
        ratios.sort()
        middle = ratios[len(ratios) // 2]
        if name == "zebu":
            yield Line("p99.9 of writes, with snapshots by without", middle, 3.0, False)
        else:
            print(f"Apache's p99.9 of writes, with snapshots by without: {middle:.2f}\n")


PARTS = {"load": load, "gap": gap, "memory": memory, "snapshot": snapshot}


def main():
    names = sys.argv[1:] or list(PARTS)
    lines = []
    for name in names:
        # Each part begins with fresh servers: memory that an earlier one has used would count for nothing.
        with Pair() as pair:
            lines += PARTS[name](pair)
    for line in lines:
        print(line)
    failed = sum(not line.holds() for line in lines)
    print(f"{len(lines) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
