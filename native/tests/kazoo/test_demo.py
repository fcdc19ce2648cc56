"""`zebu demo`: three servers and the lab, from start to a clean end."""

import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from kazoo.client import KazooClient

from ensemble import PATIENCE, end_with_parent, free_ports, wait_for


class Demo:
    """A running `zebu demo` and what it has printed so far."""

    def __init__(self, data, ports):
        self.http, self.client_ports, quorum, election, self.admin = ports
        self.lines = []
        self.process = subprocess.Popen(
            [
                os.environ["ZEBU"],
                "demo",
                f"--data={data}",
                f"--http=127.0.0.1:{self.http}",
                f"--client-ports={self.client_ports}-{self.client_ports + 2}",
                f"--quorum-port={quorum}",
                f"--election-port={election}",
                f"--admin-port={self.admin}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=end_with_parent,
        )
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()

    def says(self, words):
        return wait_for(
            f"the demo says {words!r}, not only {self.lines}",
            lambda: next((line for line in list(self.lines) if words in line), None),
        )

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.ended()

    def ended(self):
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        return code, "".join(self.lines)


def runs_of_ports():
    """A free port for the lab, and the firsts of four runs of three free ports."""

    def run():
        while True:
            (first,) = free_ports(1)
            try:
                for port in range(first, first + 3):
                    with socket.socket() as probe:
                        probe.bind(("127.0.0.1", port))
                return first
            except OSError:
                continue

    firsts = []
    while len(firsts) < 5:
        first = run()
        if all(abs(first - other) >= 3 for other in firsts):
            firsts.append(first)
    return firsts


class DemoTest(unittest.TestCase):
    def setUp(self):
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="demo-", dir=os.environ.get("ZEBU_TEST_DIR")))
        self.addCleanup(shutil.rmtree, self.data, ignore_errors=True)
        self.ports = runs_of_ports()

    def start(self):
        demo = Demo(self.data, self.ports)
        self.addCleanup(demo.end)
        return demo

    def client(self, demo):
        hosts = ",".join(f"127.0.0.1:{port}" for port in range(demo.client_ports, demo.client_ports + 3))
        client = KazooClient(hosts=hosts, timeout=10.0)
        client.start(timeout=PATIENCE)
        self.addCleanup(client.stop)
        return client

    def get(self, demo, path, port=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port or demo.http, timeout=PATIENCE)
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body

    def test_serves_stops_cleanly_and_finds_its_data_again(self):
        demo = self.start()
        demo.says(f"http://127.0.0.1:{demo.http}/")
        demo.says(str(self.data))
        demo.says("leads")
        demo.says(f"http://127.0.0.1:{demo.admin}/commands")
        for port in range(demo.admin, demo.admin + 3):
            response, body = self.get(demo, "/commands/ruok", port)
            self.assertEqual((response.status, b'"command" : "ruok"' in body), (200, True))
        client = self.client(demo)
        client.create("/kept", b"here")
        client.stop()
        demo.process.send_signal(signal.SIGINT)
        code, said = demo.ended()
        self.assertEqual(code, 0, said)
        for port in range(demo.client_ports, demo.client_ports + 3):
            with self.assertRaises(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=5)

        again = self.start()
        again.says("leads")
        self.assertEqual(self.client(again).get("/kept")[0], b"here")

    def test_a_closed_terminal_ends_everything_too(self):
        demo = self.start()
        demo.says("leads")
        demo.process.send_signal(signal.SIGHUP)
        code, said = demo.ended()
        self.assertEqual(code, 0, said)
        for port in range(demo.client_ports, demo.client_ports + 3):
            with self.assertRaises(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=5)

    def test_a_server_that_dies_is_told_and_the_rest_goes_on(self):
        demo = self.start()
        demo.says("leads")
        client = self.client(demo)
        client.create("/before")
        children = subprocess.run(
            ["pgrep", "-P", str(demo.process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        self.assertEqual(len(children), 3)
        os.kill(int(children[0]), signal.SIGKILL)
        line = demo.says("SIGKILL")
        self.assertIn(children[0], line)
        wait_for("the client is connected", lambda: client.connected)
        client.retry(client.create, "/after")
        self.assertIsNone(demo.process.poll())

    def test_the_lab_is_served_as_a_browser_wants_it(self):
        demo = self.start()
        demo.says("http://")
        page, body = self.get(demo, "/")
        self.assertEqual((page.status, page.getheader("content-type")), (200, "text/html; charset=utf-8"))
        names = [part.split('"')[0] for part in body.decode().split('href="./')[1:]]
        program = next(name for name in names if name.endswith(".wasm"))
        plain, code = self.get(demo, "/" + program)
        self.assertEqual((plain.getheader("content-type"), code[:4]), ("application/wasm", b"\0asm"))
        self.assertIn("immutable", plain.getheader("cache-control"))
        packed, smaller = self.get(demo, "/" + program, accept_encoding="gzip, br")
        self.assertEqual(packed.getheader("content-encoding"), "br")
        self.assertLess(len(smaller), len(code))
        known, nothing = self.get(demo, "/", if_none_match=page.getheader("etag"))
        self.assertEqual((known.status, nothing), (304, b""))
        self.assertEqual(self.get(demo, "/deep/link")[0].status, 200)
        self.assertEqual(self.get(demo, "/missing.js")[0].status, 404)
        self.assertEqual(self.get(demo, "/../Cargo.toml")[0].status, 404)

    def refused(self, *words):
        demo = self.start()
        code, said = demo.ended()
        self.assertNotEqual(code, 0)
        self.assertEqual(len(said.splitlines()), 1, said)
        for word in words:
            self.assertIn(word, said)

    def test_a_taken_port_is_one_clear_line(self):
        for port, option in zip(self.ports, ("--http", "--client-ports", "--quorum-port", "--election-port")):
            with self.subTest(option=option), socket.socket() as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                other.bind(("127.0.0.1", port))
                other.listen()
                self.refused(f"127.0.0.1:{port}", option)

    def test_a_folder_that_cannot_be_is_one_clear_line(self):
        file = self.data / "file"
        file.write_text("")
        self.data = file / "below"
        self.refused(str(file), "--data")


if __name__ == "__main__":
    unittest.main()
