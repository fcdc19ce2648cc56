"""A start that cannot be right is refused: one clear line that names the thing, and an exit code."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from ensemble import OwnEnsembleTest, free_ports

PATIENCE = 20.0


class Refusals(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=os.environ.get("ZEBU_TEST_DIR"))
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        client, quorum, election = free_ports(3)
        self.keys = {
            "tickTime": "500",
            "initLimit": "10",
            "syncLimit": "5",
            "dataDir": str(self.folder),
            "clientPort": str(client),
            "clientPortAddress": "127.0.0.1",
            "server.1": f"127.0.0.1:{quorum}:{election}",
            "server.2": "127.0.0.1:1:2",
            "server.3": "127.0.0.1:3:4",
        }
        (self.folder / "myid").write_text("1\n")

    def refused(self, *named, config=None):
        """Starts with the keys as they are; the refusal must name each of these words."""
        path = config or self.folder / "zoo.cfg"
        if config is None:
            path.write_text("".join(f"{key}={value}\n" for key, value in self.keys.items()))
        process = subprocess.run(
            [os.environ["ZEBU"], "serve", str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        said = process.stdout + process.stderr
        self.assertNotEqual(process.returncode, 0, said)
        self.assertNotIn("panicked", said)
        for word in named:
            self.assertIn(word, said)

    def test_each_key_with_a_broken_value(self):
        cases = [
            ("tickTime", "fast"),
            ("tickTime", "0"),
            ("tickTime", "-5"),
            ("tickTime", "99999999999999999999"),
            ("initLimit", ""),
            ("initLimit", "0"),
            ("syncLimit", "five"),
            ("clientPort", "70000"),
            ("clientPort", "port"),
            ("clientPortAddress", "no such host"),
            ("maxClientCnxns", "many"),
            ("minSessionTimeout", "x"),
            ("maxSessionTimeout", "x"),
            ("snapCount", "often"),
            ("preAllocSize", "64M"),
            ("jute.maxbuffer", "big"),
            ("server.1", "127.0.0.1"),
            ("server.1", "127.0.0.1:99999:3888"),
            ("server.1", "127.0.0.1:2888:3888:king"),
            ("server.x", "127.0.0.1:2888:3888"),
            ("server.-1", "127.0.0.1:2888:3888"),
        ]
        right = dict(self.keys)
        for key, value in cases:
            with self.subTest(key=key, value=value):
                self.keys = {**right, key: value}
                self.refused(key)

    def test_a_missing_key(self):
        right = dict(self.keys)
        for key in ("dataDir", "initLimit", "syncLimit", "clientPort"):
            with self.subTest(key=key):
                self.keys = {name: value for name, value in right.items() if name != key}
                self.refused(key)

    def test_a_file_that_is_no_configuration(self):
        missing = self.folder / "nowhere.cfg"
        self.refused(str(missing), config=missing)
        self.refused(str(self.folder), config=self.folder)
        binary = self.folder / "binary.cfg"
        binary.write_bytes(bytes(range(256)) * 16)
        self.refused("binary.cfg", config=binary)

    def test_a_wrong_myid(self):
        for text in ("", "one", "9", "-1", "99999999999999999999999", "1 2"):
            with self.subTest(myid=text):
                (self.folder / "myid").write_text(text)
                self.refused("myid")
        (self.folder / "myid").unlink()
        self.refused("myid")

    def test_a_data_folder_that_is_none(self):
        file = self.folder / "file"
        file.write_text("")
        self.keys["dataDir"] = str(file)
        self.refused(str(file))
        self.keys["dataDir"] = str(file / "below")
        self.refused(str(file))


class InUse(OwnEnsembleTest):
    def second_start(self, server):
        process = subprocess.run(
            [os.environ["ZEBU"], "serve", str(server.config)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self.assertNotEqual(process.returncode, 0)
        self.assertNotIn("panicked", process.stdout + process.stderr)
        return process.stdout + process.stderr

    def test_a_folder_or_a_port_of_a_running_server(self):
        running = self.ensemble[1]
        self.assertIn(str(running.folder), self.second_start(running))
        self.assertEqual(running.four_letters("ruok"), "imok")

        taken = self.ensemble[2]
        taken.stop()
        port, taken.client_port = taken.client_port, running.client_port
        self.ensemble.configure(taken)
        self.assertIn(str(running.client_port), self.second_start(taken))
        taken.client_port = port
        self.ensemble.configure(taken)
        taken.start()
        self.ensemble.all_serve()

    def test_the_data_of_another_server(self):
        server = self.ensemble[3]
        self.ensemble.client().create("/kept")
        server.stop()
        (server.folder / "myid").write_text("1\n")
        said = self.second_start(server)
        self.assertIn("myid", said)
        (server.folder / "myid").write_text("3\n")
        server.start()
        self.ensemble.all_serve()
        self.assertIsNotNone(self.ensemble.client(server).exists("/kept"))


if __name__ == "__main__":
    unittest.main()
