"""`zebu recipe`: locks, elections, queues and barriers for scripts, against real servers."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from ensemble import PATIENCE, OwnEnsembleTest, SharedEnsembleTest, wait_for


class Recipe:
    """One running `zebu recipe`, its output in a file."""

    def __init__(self, servers, *words, timeout=4000):
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [os.environ["ZEBU"], "recipe", "-s", servers, "--timeout", str(timeout), *words],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
        )

    def text(self):
        self.output.seek(0)
        return self.output.read()

    def alive(self):
        return self.process.poll() is None

    def expect(self, part):
        wait_for(f"{part!r} in {self.text()!r}", lambda: part in self.text())

    def code(self):
        return self.process.wait(PATIENCE)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.code()

    def close(self):
        if self.alive():
            self.process.kill()
            self.process.wait()
        self.output.close()


class RecipeCase:
    """What both kinds of tests need."""

    def recipe(self, *words, servers=None, **options):
        started = Recipe(servers or self.servers(), *words, **options)
        self.addCleanup(started.close)
        return started

    def servers(self):
        return ",".join(server.address for server in self.ensemble.servers.values())

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)


class RecipeTest(RecipeCase, SharedEnsembleTest):
    def test_exit_code_is_the_commands(self):
        for words, code in [(["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137)]:
            for kind in ["lock", "queue-lock", "shared-lock", "election", "member"]:
                with self.subTest(kind=kind, code=code):
                    self.assertEqual(self.recipe(kind, f"/codes/{kind}", "--", *words).code(), code)
        zk = self.client
        self.assertEqual(zk.get_children("/codes/queue-lock"), [], "what was held is given back")
        self.assertIsNone(zk.exists("/codes/lock"))

    def test_mistakes_are_told(self):
        for words, part in [
            (["bolt", "/a"], 'there is no recipe "bolt"'),
            (["lock", "a"], "is not a path"),
            (["double-barrier", "/a"], "how many"),
            (["lock", "/mistakes", "--", "/no/such/command"], "can't be started"),
        ]:
            recipe = self.recipe(*words)
            self.assertNotEqual(recipe.code(), 0)
            self.assertIn(part, recipe.text())
        nobody = self.recipe("lock", "/a", servers="127.0.0.1:1", timeout=500)
        self.assertEqual(nobody.code(), 1)
        self.assertIn("no server could be reached", nobody.text())

    def test_one_at_a_time_with_rising_tokens(self):
        """Whoever has the lock writes its beginning and its end; nobody's stand between another's."""
        for kind in ["lock", "queue-lock", "shared-lock"]:
            with self.subTest(kind=kind):
                log = self.folder() / "log"
                script = f"echo begin $ZEBU_TOKEN >> {log}; sleep 0.1; echo end $ZEBU_TOKEN >> {log}"
                started = [self.recipe(kind, f"/turns/{kind}", "--", "sh", "-c", script) for _ in range(5)]
                self.assertEqual([recipe.code() for recipe in started], [0] * 5)
                lines = log.read_text().split("\n")[:-1]
                self.assertEqual(len(lines), 10)
                tokens = [int(line.split()[1]) for line in lines[::2]]
                self.assertEqual(lines, [f"{what} {token}" for token in tokens for what in ("begin", "end")])
                self.assertEqual(tokens, sorted(set(tokens)))

    def test_readers_together(self):
        readers = [self.recipe("shared-lock", "/readers", "--read") for _ in range(3)]
        for reader in readers:
            reader.expect("is acquired")
        writer = self.recipe("shared-lock", "/readers", "--write")
        writer.expect("waits for")
        for reader in readers:
            self.assertEqual(reader.interrupt(), 130)
        writer.expect("is acquired")

    def test_interrupt_ends_the_command_and_releases(self):
        log = self.folder() / "log"
        script = f"trap 'echo told >> {log}; exit 0' TERM; echo up >> {log}; while :; do sleep 0.05; done"
        recipe = self.recipe("lock", "/interrupt", "--", "sh", "-c", script)
        wait_for("the command", lambda: log.exists() and "up" in log.read_text())
        zk = self.client
        self.assertIsNotNone(zk.exists("/interrupt"))
        self.assertEqual(recipe.interrupt(), 130)
        self.assertIn("told", log.read_text())
        self.assertIsNone(zk.exists("/interrupt"), "released, not left to expire")

    def test_a_successor_of_the_dead_waits_on(self):
        first = self.recipe("queue-lock", "/line")
        first.expect("is acquired")
        second = self.recipe("queue-lock", "/line")
        second.expect("waits for")
        third = self.recipe("queue-lock", "/line")
        third.expect("waits for")
        second.process.kill()
        wait_for("the third looks again", lambda: third.text().count("waits for") == 2)
        self.assertNotIn("is acquired", third.text())
        self.assertEqual(first.interrupt(), 130)
        third.expect("is acquired")

    def test_queue(self):
        put = self.recipe("queue", "/queue", "one", "two", "three")
        self.assertEqual(put.code(), 0)
        self.assertEqual(put.text().count("item-"), 3)
        log = self.folder() / "log"
        # The first consumer fails at its first element, which stays for the second one.
        failing = self.recipe("queue", "/queue", "--", "sh", "-c", "exit 3")
        self.assertEqual(failing.code(), 3)
        working = self.recipe("queue", "/queue", "--", "sh", "-c", f"cat >> {log}; echo >> {log}")
        wait_for("all elements", lambda: log.exists() and log.read_text().split() == ["one", "two", "three"])
        zk = self.client
        wait_for("an empty queue", lambda: zk.get_children("/queue/items") == [])
        self.assertEqual(working.interrupt(), 130)
        self.assertEqual(zk.get_children("/queue/taken"), [])

    def test_an_element_of_the_dead_is_taken_again(self):
        self.assertEqual(self.recipe("queue", "/again", "job").code(), 0)
        first = self.recipe("consumer", "/again", "--", "sh", "-c", "sleep 60")
        zk = self.client
        wait_for("the claim", lambda: zk.exists("/again/taken") and zk.get_children("/again/taken"))
        second = self.recipe("consumer", "/again")
        first.process.kill()
        second.expect("\tjob")
        wait_for("an empty queue", lambda: zk.get_children("/again/items") == [])

    def test_barriers(self):
        zk = self.client
        zk.create("/gate", b"")
        waiting = [self.recipe("barrier", "/gate", "--", "echo", "through") for _ in range(2)]
        for recipe in waiting:
            recipe.expect("waits for")
            self.assertTrue(recipe.alive())
        zk.delete("/gate")
        for recipe in waiting:
            self.assertEqual(recipe.code(), 0)
            self.assertIn("through", recipe.text())
        folder = self.folder()
        script = f"echo in >> {folder}/$0; while [ ! -e {folder}/go-$0 ]; do sleep 0.05; done"
        both = [self.recipe("double-barrier", "/both", "3", "--", "sh", "-c", script, str(n)) for n in range(2)]
        both[1].expect("waits for")
        self.assertEqual(list(folder.iterdir()), [], "nobody begins before three are there")
        both.append(self.recipe("double-barrier", "/both", "3", "--", "sh", "-c", script, "2"))
        wait_for("all three", lambda: len(list(folder.iterdir())) == 3)
        (folder / "go-0").touch()
        time.sleep(0.5)
        self.assertTrue(both[0].alive(), "nobody is gone before all want to leave")
        (folder / "go-1").touch()
        (folder / "go-2").touch()
        self.assertEqual([recipe.code() for recipe in both], [0, 0, 0])
        self.assertEqual(zk.get_children("/both"), [])

    def test_configuration_naming_membership(self):
        zk = self.client
        config = self.recipe("config", "/conf/value")
        config.expect("no value")
        zk.create("/conf/value", b"first", makepath=True)
        config.expect("first")
        zk.set("/conf/value", b"second")
        config.expect("second")
        self.assertEqual(config.interrupt(), 130)
        ids = [self.recipe("naming", "/ids/order-") for _ in range(4)]
        self.assertEqual([recipe.code() for recipe in ids], [0] * 4)
        self.assertEqual(sorted(recipe.text().strip() for recipe in ids), [f"order-{n:010}" for n in range(4)])
        watcher = self.recipe("members", "/web")
        members = [self.recipe("membership", "/web", f"web-{n}") for n in range(2)]
        watcher.expect("web-0 web-1")
        self.assertEqual(members[0].interrupt(), 130)
        wait_for("one is gone", lambda: watcher.text().rstrip().endswith("\nweb-1"))


class LossTest(RecipeCase, OwnEnsembleTest):
    def test_a_lost_lock_stops_the_command(self):
        """The lock's servers are all gone: after a session timeout nobody may believe in the lock."""
        log = self.folder() / "log"
        script = f"trap 'echo told >> {log}; exit 0' TERM; echo up >> {log}; while :; do sleep 0.05; done"
        recipe = self.recipe("lock", "/lost", "--", "sh", "-c", script)
        wait_for("the command", lambda: log.exists() and "up" in log.read_text())
        for server in self.ensemble.servers.values():
            server.kill()
        self.assertEqual(recipe.code(), 75)
        self.assertIn("told", log.read_text())
        self.assertIn("is lost", recipe.text())

    def test_a_frozen_master_learns_that_it_is_none(self):
        first = self.recipe("election", "/boss", "--name", "one")
        first.expect("is acquired")
        second = self.recipe("election", "/boss", "--name", "two")
        second.expect("waits for one")
        first.process.send_signal(signal.SIGSTOP)
        second.expect("is acquired")
        first.process.send_signal(signal.SIGCONT)
        first.expect("is lost")
        first.expect("waits for two")

    def test_the_lock_outlives_a_server(self):
        recipe = self.recipe("lock", "/outlives", "--", "sleep", "6", timeout=10000)
        zk = self.ensemble.client()
        wait_for("the lock", lambda: zk.exists("/outlives"))
        self.ensemble.leader().kill()
        self.ensemble.leader()
        self.assertEqual(recipe.code(), 0)
        self.assertNotIn("is lost", recipe.text())


if __name__ == "__main__":
    unittest.main()
