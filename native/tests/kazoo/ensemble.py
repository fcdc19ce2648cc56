"""Real `zebu serve` processes on free ports, and kazoo clients for them.

The program is named by the environment variable ZEBU; what the servers write goes under ZEBU_TEST_DIR.
"""

import contextlib
import ctypes
import logging
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError as HandlerTimeout

# Long enough that only a hang is caught: the tests share the machine with other work.
PATIENCE = 60.0
TICK_MS = 500

# Servers are killed all the time here: that a connection broke is no news.
logging.getLogger("kazoo").setLevel(logging.CRITICAL)


def wait_for(what, condition, patience=PATIENCE):
    """Polls until the condition is true and returns its value; fails with `what` in words."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {patience:.0f} s: {what}")
        time.sleep(0.02)


# Ports of servers that may not have been started yet, so that no other server is given the same.
given_ports = set()


def free_ports(count):
    """Ports nobody listens on, below the range from which outgoing connections are given theirs; each is given once."""
    found = []
    while len(found) < count:
        port = random.randint(20000, 31999)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given_ports:
            given_ports.add(port)
            found.append(port)
    return found


def end_with_parent():
    """Has the kernel kill a server when the test process is killed, so that no server is left behind."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """One server process, which may be stopped and started again on its data."""

    def __init__(self, server_id, folder):
        self.id = server_id
        self.folder = folder
        self.client_port, self.quorum_port, self.election_port, self.admin_port, self.metrics_port = free_ports(5)
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.client_port}"

    @property
    def log(self):
        return self.folder / "zebu.log"

    @property
    def config(self):
        return self.folder / "zoo.cfg"

    def command(self):
        return [os.environ["ZEBU"], "serve", str(self.config)]

    def start(self):
        assert self.process is None, f"server {self.id} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,
            )

    def kill(self):
        """kill -9: the process gets no chance to do anything."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"server {self.id} did not end within {PATIENCE:.0f} s of SIGTERM") from None
        self.process = None
        return code

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def resident_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def four_letters(self, word):
        """The answer to a four-letter word; empty when the server cannot be reached."""
        try:
            with socket.create_connection(("127.0.0.1", self.client_port), timeout=5) as connection:
                connection.sendall(word.encode())
                answer = b""
                while chunk := connection.recv(4096):
                    answer += chunk
                return answer.decode()
        except OSError:
            return ""

    def fields(self, word="srvr"):
        """`srvr` as a dictionary: its lines are `Name: value`."""
        pairs = (line.split(":", 1) for line in self.four_letters(word).splitlines() if ":" in line)
        return {name.strip(): value.strip() for name, value in pairs}

    def monitored(self):
        """`mntr` as a dictionary of texts."""
        return dict(line.split("\t") for line in self.four_letters("mntr").splitlines() if "\t" in line)

    def mode(self):
        """`leader`, `follower`, `observer`, or nothing while the server does not serve."""
        return self.fields().get("Mode", "")

    def zxid(self):
        return int(self.fields()["Zxid"], 16)


class Ensemble:
    """Servers that know each other; the last `observers` of them observe."""

    server_class = Server

    def __init__(self, name, size=3, observers=0, **settings):
        parent = os.environ.get("ZEBU_TEST_DIR")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
        self.servers = {}
        for server_id in range(1, size + 1):
            folder = self.folder / f"server{server_id}"
            folder.mkdir()
            self.servers[server_id] = self.server_class(server_id, folder)
        self.observer_ids = range(size - observers + 1, size + 1)
        self.clients = []
        for server in self.servers.values():
            self.configure(server, settings)

    def configure(self, server, settings=None):
        """Writes `zoo.cfg` and `myid` of one server. A setting may be a function of the server; None leaves it out."""
        lines = {
            "tickTime": TICK_MS,
            "initLimit": 20,
            "syncLimit": 10,
            "dataDir": server.folder,
            "clientPort": server.client_port,
            "clientPortAddress": "127.0.0.1",
            "4lw.commands.whitelist": "ruok, srvr, stat, mntr",
            "preAllocSize": 1024,
            "maxClientCnxns": 0,
            # Many servers run at once, and all would want port 8080.
            "admin.enableServer": "false",
        }
        for key, value in (settings or {}).items():
            lines[key] = value(server) if callable(value) else value
        for peer in self.servers.values():
            role = "observer" if peer.id in self.observer_ids else "participant"
            lines[f"server.{peer.id}"] = f"127.0.0.1:{peer.quorum_port}:{peer.election_port}:{role}"
        lines = {key: value for key, value in lines.items() if value is not None}
        server.config.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        (server.folder / "myid").write_text(f"{server.id}\n")

    def start(self):
        for server in self.servers.values():
            if server.process is None:
                server.start()
        self.all_serve()
        return self

    def __getitem__(self, server_id):
        return self.servers[server_id]

    def leader(self):
        """The server that leads, once one does and a majority follows."""

        def found():
            modes = {server: server.mode() for server in self.servers.values()}
            leaders = [server for server, mode in modes.items() if mode in ("leader", "standalone")]
            serving = [server for server, mode in modes.items() if mode]
            return leaders[0] if len(leaders) == 1 and len(serving) * 2 > len(modes) else None

        return wait_for("no leader with a majority", found)

    def followers(self):
        leader = self.leader()
        return [server for server in self.servers.values() if server is not leader and server.mode() == "follower"]

    def all_serve(self):
        """Waits until every running server leads, follows or observes."""
        running = [server for server in self.servers.values() if server.process is not None]
        for server in running:

            def serves(server=server):
                assert server.alive(), f"server {server.id} ended with exit code {server.process.returncode}"
                return server.mode()

            wait_for(f"server {server.id} serves", serves)
        return self.leader()

    def client(self, *servers, timeout=10.0, client_class=KazooClient, **options):
        """A started client of these servers, tried in this order; of all servers when none is named."""
        servers = servers or tuple(self.servers.values())
        client = client_class(
            hosts=",".join(server.address for server in servers),
            timeout=timeout,
            randomize_hosts=False,
            connection_retry={"max_tries": -1, "delay": 0.05, "backoff": 1, "max_delay": 0.2},
            command_retry={"max_tries": -1, "delay": 0.05, "backoff": 1, "max_delay": 0.2},
            **options,
        )
        client.start(timeout=PATIENCE)
        self.clients.append(client)
        return client

    def close(self):
        """Ends clients and servers and removes their data; the logs stay for `tails`."""
        for client in self.clients:
            # What a closing client gives up on may not keep the servers from being ended.
            with contextlib.suppress(KazooException, HandlerTimeout):
                client.stop()
                client.close()
        for server in self.servers.values():
            if server.process is not None:
                server.kill()
            shutil.rmtree(server.folder / "version-2", ignore_errors=True)

    def log_lines(self, *words):
        """The lines of all logs that hold one of the words."""
        texts = [server.log.read_text(errors="replace") for server in self.servers.values() if server.log.exists()]
        return [line for text in texts for line in text.splitlines() if any(word in line for word in words)]

    def tails(self, lines=25):
        """The ends of the servers' logs."""
        texts = []
        for server in self.servers.values():
            if server.log.exists():
                last = server.log.read_text(errors="replace").splitlines()[-lines:]
                texts.append("\n".join([f"-- the log of server {server.id} ends with:", *last]))
        return "\n".join(texts)


class EnsembleTest(unittest.TestCase):
    """A test with servers; when it fails, the ends of their logs are shown."""

    ensemble = None

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        outcome = super().run(result)
        if len(result.failures) + len(result.errors) > before and self.ensemble is not None:
            print(self.ensemble.tails(), file=sys.stderr)
        return outcome


class SharedEnsembleTest(EnsembleTest):
    """Tests that leave their ensemble unharmed share one; each has a znode of its own to work under."""

    @classmethod
    def setUpClass(cls):
        cls.ensemble = Ensemble(cls.__name__)
        cls.addClassCleanup(cls.ensemble.close)
        cls.ensemble.start()

    def setUp(self):
        self.client = self.ensemble.client()
        self.addCleanup(self.client.stop)
        self.top = f"/{self._testMethodName}"
        self.client.create(self.top)


class OwnEnsembleTest(EnsembleTest):
    """Tests that kill servers: each has an ensemble of its own."""

    settings = {}

    def setUp(self):
        self.ensemble = Ensemble(self._testMethodName, **self.settings)
        self.addCleanup(self.ensemble.close)
        self.ensemble.start()
