"""`zebu cli` as people and scripts use it: one command, a script on standard input, the shell in a terminal."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from ensemble import PATIENCE, OwnEnsembleTest, SharedEnsembleTest, free_ports

STAT_FIELDS = [
    "cZxid",
    "ctime",
    "mZxid",
    "mtime",
    "pZxid",
    "cversion",
    "dataVersion",
    "aclVersion",
    "ephemeralOwner",
    "dataLength",
    "numChildren",
]


def cli(server, *words, script=None, history=""):
    """Runs the program; its exit code, standard output and standard error."""
    ended = subprocess.run(
        [os.environ["ZEBU"], "cli", "-s", server, *words],
        input=script,
        stdin=None if script is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "ZEBU_CLI_HISTORY": str(history), "TZ": "UTC"},
    )
    return ended.returncode, ended.stdout, ended.stderr


class Terminal:
    """The shell in a terminal of its own."""

    def __init__(self, server, history):
        self.text = ""
        self.seen = 0
        pid, self.fd = pty.fork()
        if pid == 0:
            # Wide enough that no line is broken.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 250, 0, 0))
            os.environ.update(ZEBU_CLI_HISTORY=str(history), TERM="xterm")
            os.execv(os.environ["ZEBU"], ["zebu", "cli", "-s", server])
        self.pid = pid

    def read(self, patience):
        ready, _, _ = select.select([self.fd], [], [], patience)
        if ready:
            try:
                self.text += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                return False
        return True

    def expect(self, pattern):
        """Waits for a pattern behind the last one."""
        deadline = time.monotonic() + PATIENCE
        while True:
            plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text)[self.seen :]
            found = re.search(pattern, plain)
            if found:
                self.seen += found.end()
                return found
            if time.monotonic() > deadline or not self.read(0.2):
                raise AssertionError(f"no {pattern!r} in {plain!r}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """The exit code once the shell has ended."""
        deadline = time.monotonic() + PATIENCE
        while self.read(0.2) and time.monotonic() < deadline:
            pass
        if time.monotonic() >= deadline:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


class Commands(SharedEnsembleTest):
    def setUp(self):
        super().setUp()
        self.hosts = ",".join(server.address for server in self.ensemble.servers.values())
        self.leader = self.ensemble.leader().address

    def good(self, *words, server=None, script=None):
        code, out, err = cli(server or self.leader, *words, script=script)
        self.assertEqual((code, err), (0, ""), words)
        return out

    def bad(self, *words, server=None):
        code, out, err = cli(server or self.leader, *words)
        self.assertEqual((code, out), (1, ""), words)
        return err

    def json(self, *words, server=None):
        return json.loads(self.good("--json", *words, server=server))

    def test_one_command_each(self):
        a = self.top + "/a"
        self.assertEqual(self.good("create", a, "one two"), f"Created {a}\n")
        self.assertEqual(self.good("get", a), "one two\n")
        self.assertEqual(self.good("get", "-b", a), "b25lIHR3bw==\n")
        self.assertEqual(self.good("set", a, "2"), "")
        self.assertEqual(self.good("ls", self.top), "[a]\n")
        self.assertEqual(self.good("create", self.top + "/b"), f"Created {self.top}/b\n")
        self.assertEqual(self.good("get", self.top + "/b"), "null\n")
        self.assertEqual(self.good("ls", self.top), "[a, b]\n")
        self.good("create", a + "/x")
        self.assertEqual(self.good("ls", "-R", self.top), "".join(f"{self.top}{p}\n" for p in ("", "/a", "/b", "/a/x")))
        self.assertEqual(self.good("getAllChildrenNumber", self.top), "3\n")
        for words in (["stat", a], ["get", "-s", a], ["ls", "-s", a], ["set", "-s", a, "3"], ["getAcl", "-s", a]):
            lines = self.good(*words).splitlines()
            self.assertEqual([line.split(" = ")[0] for line in lines if " = " in line], STAT_FIELDS, words)
        self.assertEqual(self.good("sync", a), "Sync is OK\n")
        self.assertIn("Auth scheme: User\nip: 127.0.0.1\n", self.good("whoami"))
        self.assertEqual(self.good("getAcl", a), "'world,'anyone\n: cdrwa\n")
        self.assertEqual(self.good("setAcl", "-R", a, "world:anyone:cdra"), "")
        self.assertEqual(self.good("getAcl", a + "/x"), "'world,'anyone\n: cdra\n")
        self.assertEqual(self.good("deleteall", a), "")
        self.assertEqual(self.good("delete", "-v", "0", self.top + "/b"), "")
        self.assertEqual(self.good("ls", self.top), "[]\n")
        self.assertTrue(self.good("version").startswith("zebu CLI version: "))
        self.assertIn("setAcl [-s] [-v version] [-R] path acl", self.good("help"))
        self.assertIn("-R", self.good("help", "ls"))
        self.assertIn("server.1=", self.good("config"))
        self.assertRegex(self.good("config", "-c"), r"^[0-9a-f]+ ")

    def test_kinds_of_znodes(self):
        script = f"""
            create -s {self.top}/s- x
            create -e {self.top}/e x
            create -s -e {self.top}/se- x
            create -c {self.top}/c x
            getEphemerals {self.top}
            getEphemerals
        """
        out = self.good(script=script).splitlines()
        self.assertEqual(out[0], f"Created {self.top}/s-0000000000")
        self.assertEqual(out[1:4:2], [f"Created {self.top}/e", f"Created {self.top}/c"])
        ephemerals = f"[{self.top}/e, {self.top}/se-0000000002]"
        self.assertEqual(out[4:], [ephemerals, ephemerals])
        # Closing the session took its ephemerals along.
        self.assertEqual(self.good("ls", self.top), "[c, s-0000000000]\n")

    def test_json_for_every_command(self):
        a = self.top + "/a"
        self.assertEqual(self.json("create", a, "x")["path"], a)
        read = self.json("get", a)
        self.assertEqual((read["command"], read["path"], read["data"], read["stat"]["version"]), ("get", a, "x", 0))
        self.client.set(a, b"\xff")
        self.assertEqual(self.json("get", a)["data"], {"base64": "/w=="})
        self.assertEqual(self.json("ls", self.top)["children"], ["a"])
        self.assertEqual(self.json("ls", "-R", self.top)["paths"], [self.top, a])
        self.assertEqual(self.json("set", a, "y")["stat"]["version"], 2)
        self.assertEqual(self.json("stat", a)["stat"]["dataLength"], 1)
        self.assertEqual(self.json("getAcl", a)["acl"], [{"scheme": "world", "id": "anyone", "perms": "cdrwa"}])
        self.assertEqual(self.json("getAllChildrenNumber", self.top)["number"], 1)
        self.assertEqual(self.json("getEphemerals")["ephemerals"], [])
        self.assertEqual(self.json("whoami")["identities"][0]["scheme"], "ip")
        self.assertEqual(len(self.json("config")["config"].splitlines()), 4)
        for words in (["sync", a], ["setAcl", a, "world:anyone:cdrwa"], ["addWatch", a], ["printwatches"], ["version"]):
            self.assertEqual(self.json(*words)["command"], words[0])
        self.assertEqual(self.json("deleteall", a)["deleted"], 1)
        code, out, err = cli(self.leader, "--json", "get", a)
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(json.loads(err)["error"], {"code": -101, "message": f"Node does not exist: {a}"})
        out = self.good("--json", script=f"create {a}\nget -w {a}\nset {a} 1\n")
        objects = [json.loads(line) for line in out.splitlines()]
        event = {"state": "SyncConnected", "type": "NodeDataChanged", "path": a}
        self.assertEqual([o.get("command", "event") for o in objects], ["create", "get", "event", "set"])
        self.assertEqual(objects[2]["event"], event)

    def test_errors_say_what_is_wrong(self):
        a, missing = self.top + "/a", self.top + "/missing"
        self.client.create(a)
        self.client.create(a + "/b")
        for words, want in (
            (["get", missing], f"Node does not exist: {missing}"),
            (["stat", missing], f"Node does not exist: {missing}"),
            (["create", a], f"Node already exists: {a}"),
            (["delete", a], f"Node not empty: {a}"),
            (["set", "-v", "7", a, "x"], f"version No is not valid : {a}"),
            (["delete", "/zookeeper"], "/zookeeper"),
            (["removewatches", a], f"No such watch: {a}"),
            (["get", "a"], "a path begins with /"),
            (["get", "/a/"], "is not a path"),
            (["get"], "get needs a path; usage: get [-s] [-w] [-b] path"),
            (["get", "-z", a], "get has no flag -z"),
            (["set", "-v", "x", a, "1"], "-v needs a whole number"),
            (["create", "-c", "-e", a], "cannot be combined"),
            (["create", "-t", "0", missing], "a TTL is 1 to"),
            (["create", missing, "x", "world:anyone"], "scheme:id:perms"),
            (["create", missing, "x", "world:anyone:q"], "no permission"),
            (["setquota", a], "setquota needs a limit"),
            (["frobnicate"], "Command not found frobnicate"),
            (["reconfig"], "reconfig needs servers"),
            (["reconfig", "-add", "x", "-members", "y"], "use one or the other"),
            (["addWatch", "-m", "ODD", a], "is no mode"),
        ):
            self.assertIn(want, self.bad(*words), words)
        port = free_ports(1)[0]
        err = self.bad("get", "/a", server=f"127.0.0.1:{port}")
        self.assertIn(f"127.0.0.1:{port}: connection refused", err)
        code, _, err = cli("127.0.0.1:x", "get", "/a")
        self.assertEqual(code, 2)
        self.assertIn("has no port", err)

    def test_a_script_goes_on_after_a_failure(self):
        script = f"# a comment\n\nget {self.top}/none\ncreate {self.top}/a 'two words'\nget {self.top}/a\nquit\nget /never\n"
        code, out, err = cli(self.leader, script=script)
        self.assertEqual((code, err), (0, f"Node does not exist: {self.top}/none\n"))
        self.assertEqual(out, f"Created {self.top}/a\ntwo words\n")
        code, _, _ = cli(self.leader, script=f"get {self.top}/a\nget {self.top}/none\n")
        self.assertEqual(code, 1, "the last command failed")

    def test_watches_history_and_printwatches(self):
        a = self.top + "/a"
        event = "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:{} path:{}\n"
        script = f"stat -w {a}\ncreate {a}\nls -w {self.top}\ndelete {a}\n"
        code, out, _ = cli(self.leader, script=script)
        self.assertEqual(code, 0)
        created, deleted = event.format("NodeCreated", a), event.format("NodeChildrenChanged", self.top)
        self.assertEqual(out, f"{created}Created {a}\n[a]\n{deleted}")
        script = f"addWatch -m PERSISTENT {a}\ncreate {a}\nset {a} 1\nremovewatches -a {a}\nset {a} 2\ndelete {a}\n"
        out = self.good(script=script)
        self.assertEqual(out, f"{created}Created {a}\n{event.format('NodeDataChanged', a)}")
        script = f"printwatches off\nprintwatches\naddwatch {self.top}\ncreate {a}\nprintwatches on\nset {a} 1\n"
        out = self.good(script=script)
        self.assertEqual(out, f"printwatches is off\nCreated {a}\n{event.format('NodeDataChanged', a)}")
        out = self.good(script=f"get {a}\nredo 0\nhistory\n")
        self.assertEqual(out, f"1\n1\n0 - get {a}\n1 - get {a}\n2 - history\n")
        code, _, err = cli(self.leader, script="redo 0\nredo 9\n")
        self.assertEqual((code, err), (1, "Command index out of range\n" * 2))

    def test_close_and_connect(self):
        script = f"close\nget {self.top}\nconnect {self.hosts}{self.top}\nls /\n"
        code, out, err = cli(self.leader, script=script)
        self.assertEqual((code, out), (0, "[]\n"), err)
        self.assertIn("Not connected", err)

    def test_authentication(self):
        a = self.top + "/a"
        self.good(script=f"addauth digest me:secret\ncreate {a} x auth::cdrwa\n")
        self.assertIn(f"Insufficient permission : {a}", self.bad("get", a))
        self.assertEqual(self.good("--auth", "digest:me:secret", "get", a), "x\n")
        self.assertIn("digest: me", self.good("--auth", "digest:me:secret", "whoami"))
        self.assertIn("authentication failed", self.bad("addauth", "nosuchscheme", "x"))

    def test_a_chroot_is_the_root(self):
        hosts = self.hosts + self.top
        script = "create /a 1\nls /\nget -w /a\nset /a 2\ncreate -s / x\nls -R /\ncreate -e /e\ngetEphemerals\nconfig -c\n"
        out = self.good(server=hosts, script=script)
        event = "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeDataChanged path:/a\n"
        seq = "/0000000001"
        want = f"Created /a\n[a]\n1\n{event}Created {seq}\n/\n{seq}\n/a\nCreated /e\n[/e]\n"
        self.assertTrue(out.startswith(want), out)
        self.assertEqual(self.client.get(self.top + "/a")[0], b"2")

    def test_quotas(self):
        a = self.top + "/a"
        self.client.create(a, b"12345")
        self.client.create(a + "/b")
        self.assertIn(f"quota for {a} does not exist.", self.bad("listquota", a))
        self.assertEqual(self.good("setquota", "-n", "5", a), "")
        listed = self.good("listquota", a).splitlines()
        self.assertEqual(listed[0], f"absolute path is /zookeeper/quota{a}/zookeeper_limits")
        self.assertEqual(listed[1], f"Output quota for {a} count=5,bytes=-1")
        self.assertEqual(listed[2], f"Output stat for {a} count=2,bytes=5")
        self.assertIn("less than the existing bytes:5", self.good("setquota", "-b", "1", "-N", "7", a))
        limits = self.json("listquota", a)["limits"]
        self.assertEqual(limits, {"count": 5, "bytes": 1, "countHardLimit": 7, "byteHardLimit": None})
        self.assertIn("has a parent", self.bad("setquota", "-n", "5", a + "/b"))
        self.assertIn("has a child", self.bad("setquota", "-n", "5", self.top))
        self.assertIn("does not exist.", self.bad("setquota", "-n", "5", self.top + "/none"))
        self.assertIn("greater than zero", self.bad("setquota", "-n", "0", a))
        self.assertEqual(self.good("delquota", "-n", "-N", a), "")
        self.assertEqual(self.json("listquota", a)["limits"]["count"], None)
        self.assertEqual(self.good("delquota", a), "")
        self.assertIsNone(self.client.exists(f"/zookeeper/quota{self.top}"), "what only the quota needed is gone")
        # Below a chroot the quota is still the server's.
        self.assertEqual(self.good("setquota", "-n", "3", "/a", server=self.leader + self.top), "")
        self.assertEqual(self.json("listquota", a)["limits"]["count"], 3)
        self.assertEqual(self.good("delquota", "/a", server=self.leader + self.top), "")

    def test_the_shell_in_a_terminal(self):
        history = self.ensemble.folder / "history"
        self.client.create(self.top + "/apple", b"red")
        shell = Terminal(self.leader, history)
        shell.expect(rf"\[zk: {re.escape(self.leader)}\(\w+\) 0\] ")
        shell.type("sync /\n")
        shell.expect(r"Sync is OK")
        shell.expect(r"\(CONNECTED\) 1\] ")
        # Completion: of a command, then of a path, each by one key.
        shell.type("getAllCh\t")
        shell.expect("getAllChildrenNumber")
        shell.type(f" {self.top}/ap\t")
        shell.expect("/apple")
        shell.type("\n")
        shell.expect(r"\n0\r")
        shell.expect(r"\(CONNECTED\) 2\] ")
        # An event shows while nothing is typed.
        shell.type(f"get -w {self.top}/apple\n")
        shell.expect("red")
        shell.expect(r"\(CONNECTED\) 3\] ")
        self.client.set(self.top + "/apple", b"green")
        shell.expect(f"WatchedEvent state:SyncConnected type:NodeDataChanged path:{self.top}/apple")
        # The last command comes back by the arrow.
        shell.type("\x1b[A")
        shell.expect("get -w")
        shell.type("\n")
        shell.expect("green")
        shell.type("quit\n")
        self.assertEqual(shell.end(), 0)
        self.assertIn(f"get -w {self.top}/apple", history.read_text())
        # And in another shell.
        shell = Terminal(self.leader, history)
        shell.expect(r"0\] ")
        shell.type("\x1b[A\x1b[A")
        shell.expect("get -w")
        shell.type("\n")
        shell.expect("green")
        shell.expect(r"\(CONNECTED\) 1\] ")
        shell.type("\x04")
        self.assertEqual(shell.end(), 0)


class Failover(OwnEnsembleTest):
    def test_a_killed_server_is_left_for_another(self):
        hosts = ",".join(server.address for server in self.ensemble.servers.values())
        script = subprocess.Popen(
            [os.environ["ZEBU"], "cli", "-s", hosts],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(script.kill)
        script.stdin.write("create -e /mine x\naddWatch /mine\nsync /\n")
        script.stdin.flush()
        for want in ("Created /mine", "Sync is OK"):
            self.assertEqual(script.stdout.readline().strip(), want)
        watcher = self.ensemble.client()
        owner = watcher.exists("/mine").ephemeralOwner
        for server in list(self.ensemble.servers.values()):
            server.kill()
            time.sleep(0.5)
            server.start()
            self.ensemble.all_serve()
        # The session is the same wherever it is now, and so are its watches.
        self.assertEqual(watcher.exists("/mine").ephemeralOwner, owner)
        script.stdin.write("sync /\nsync /\nset /mine y\nget /mine\nquit\n")
        out, err = script.communicate(timeout=PATIENCE)
        self.assertTrue(out.endswith("\ny\n"), (out, err))
        self.assertIn("type:NodeDataChanged path:/mine", out)


if __name__ == "__main__":
    unittest.main()
