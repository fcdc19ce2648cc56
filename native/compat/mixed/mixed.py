"""Ensembles of both kinds of server: some of Apache's, some of Zebu's, on the same zoo.cfg and the same data.

The programs are named by the environment variables APACHE_CLASS_PATH and ZEBU.
"""

import pathlib
import subprocess
import sys
import os

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from systems import ApacheServer  # noqa: E402

from ensemble import PATIENCE, Ensemble, EnsembleTest, Server, wait_for  # noqa: E402

KINDS = {"apache": ApacheServer, "zebu": Server}
WINDOW = 500
CONFIG = "/zookeeper/config"


def become(server, kind):
    """The same server (id, ports, folder) as the other program: it starts on what the first one left."""
    assert server.process is None, f"server {server.id} still runs"
    server.__class__ = KINDS[kind]


def kind_of(server):
    return "apache" if isinstance(server, ApacheServer) else "zebu"


class Mixed(Ensemble):
    """An ensemble in which each server's kind is given, in the order of their ids."""

    def __init__(self, name, kinds, observers=0, **settings):
        # Apache's server takes what the ensemble's default does not know; reads and snapshots happen often.
        settings = {"snapCount": 2000, "4lw.commands.whitelist": "*", **settings}
        super().__init__(name, size=len(kinds), observers=observers, **settings)
        for server, kind in zip(self.servers.values(), kinds):
            become(server, kind)


class MixedTest(EnsembleTest):
    """A test with an ensemble of its own, made by `of`."""

    # Where trees differ, all of it is worth to be seen.
    maxDiff = None

    def of(self, *kinds, **options):
        self.ensemble = Mixed(self._testMethodName, kinds, **options)
        self.addCleanup(self.ensemble.close)
        return self.ensemble.start()

    def led_by_the_last(self, *kinds, **options):
        """Led by a server of the last one's kind, which has the highest id, so that it is elected, unless the others
        have elected before it was up: a Java machine takes its time. Then it gets its turn as soon as the one that
        leads is killed."""
        ensemble = self.of(*kinds, **options)
        early = ensemble.leader()
        if kind_of(early) != kinds[-1]:
            early.kill()
            wait_for(f"{kinds[-1]} leads", lambda: kind_of(ensemble.leader()) == kinds[-1])
            early.start()
            ensemble.all_serve()
        self.assertEqual(kind_of(ensemble.leader()), kinds[-1])
        return ensemble

    def same_trees(self):
        """Every znode with its data, access list and Stat, through each server: they may not differ in anything."""
        trees = {server.id: tree_of(self.ensemble, server) for server in self.ensemble.servers.values()}
        # Each server of Apache's writes the membership in there at its start, by its own clock and not by a transaction.
        for tree in trees.values():
            tree.pop(CONFIG, None)
        first, *others = trees
        for other in others:
            differing = {path for path in trees[first].keys() | trees[other].keys()
                         if trees[first].get(path) != trees[other].get(path)}
            shown = {path: (trees[first].get(path), trees[other].get(path)) for path in sorted(differing)[:5]}
            self.assertEqual(shown, {}, f"server {first} and server {other} differ in {len(differing)} znodes")
        return len(trees[first])

    def wrong_digests(self, *servers):
        """How often each of these servers' trees, at first each Zebu's, was not as its leader foretold, where that
        happened; since it was started. What Zebus have logged of it counts however long ago it was.

        Those of Apache's count some among themselves, after a snapshot that was made while the tree changed."""
        told = self.ensemble.log_lines("foretold a wrong digest", "the leader foretold")
        self.assertEqual(told, [])
        servers = servers or [server for server in self.ensemble.servers.values() if kind_of(server) == "zebu"]
        counts = {
            f"{kind_of(server)} {server.id}": server.monitored().get("zk_digest_mismatches_count", "0")
            for server in servers
        }
        return {name: count for name, count in counts.items() if count != "0"}


def tree_of(ensemble, server):
    """All znodes of a server by path."""
    client = ensemble.client(server)
    client.sync("/")
    found = {}
    level = ["/"]
    while level:
        below = []
        for part in (level[at:at + WINDOW] for at in range(0, len(level), WINDOW)):
            asked = [(path, client.get_async(path), client.get_acls_async(path), client.get_children_async(path))
                     for path in part]
            for path, node, acls, children in asked:
                data, stat = node.get(timeout=PATIENCE)
                access, _ = acls.get(timeout=PATIENCE)
                found[path] = (data, tuple(stat), tuple(sorted(map(str, access))))
                top = "" if path == "/" else path
                below += [f"{top}/{name}" for name in children.get(timeout=PATIENCE)]
        level = below
    client.stop()
    return found


def java(main, *arguments):
    """Runs one of Apache's tools; its output, after it ended well."""
    command = ["java", "-Xmx256m", "-cp", os.environ["APACHE_CLASS_PATH"], main, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{main} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def zebu(*arguments, code=0):
    """Runs a command of zebu's; its standard output, after it ended with this code."""
    command = [os.environ["ZEBU"], *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == code, f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr}"
    return done.stdout
