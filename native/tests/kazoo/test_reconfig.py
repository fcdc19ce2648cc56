"""Members that change while real servers run: by kazoo's reconfig, with the files that say so."""

import sys
import unittest

from kazoo.exceptions import BadArgumentsError, BadVersionError, NewConfigNoQuorumError, NoAuthError
from kazoo.security import make_digest_acl_credential

from ensemble import Ensemble, EnsembleTest, Server, free_ports, wait_for
from load import Load

SUPER = "super:" + make_digest_acl_credential("super", "test").split(":", 1)[1]
SETTINGS = {"reconfigEnabled": "true", "DigestAuthenticationProvider.superDigest": SUPER}


class Reconfig(EnsembleTest):
    def begin(self, size=3, observers=0):
        self.ensemble = Ensemble(self._testMethodName, size=size, observers=observers, **SETTINGS)
        self.addCleanup(self.ensemble.close)
        self.ensemble.start()
        self.client = self.ensemble.client()
        self.client.add_auth("digest", "super:test")

    def new_server(self):
        """A server that is no member; its list names the members and itself."""
        server_id = len(self.ensemble.servers) + 1
        folder = self.ensemble.folder / f"server{server_id}"
        folder.mkdir()
        server = Server(server_id, folder)
        self.ensemble.servers[server_id] = server
        self.ensemble.configure(server, SETTINGS)
        server.start()
        wait_for(f"server {server_id} follows", lambda: server.mode() == "follower")
        return server

    def line(self, server, role="participant", client_port=None):
        port = client_port or server.client_port
        return f"server.{server.id}=127.0.0.1:{server.quorum_port}:{server.election_port}:{role};127.0.0.1:{port}"

    def change(self, joining=None, leaving=None, members=None):
        """Asks for a change; its version as the servers name it. The members are in every server's files then."""
        data, _ = self.client.reconfig(joining=joining, leaving=leaving, new_members=members)
        text = data.decode()
        *lines, version = text.splitlines()
        name = f"zoo.cfg.dynamic.{version.removeprefix('version=')}"

        def written(server):
            path = server.folder / name
            return (
                path.exists()
                and sorted(line for line in path.read_text().splitlines() if not line.startswith("#")) == sorted(lines)
                and name in server.config.read_text()
                and "server." not in server.config.read_text()
                and not (server.folder / "zoo.cfg.dynamic.next").exists()
            )

        for server in self.ensemble.servers.values():
            if server.process is not None:
                wait_for(f"server {server.id} has {name}", lambda server=server: written(server))
        return text

    def config(self):
        return self.client.get("/zookeeper/config")[0].decode()

    def test_a_fourth_server_joins_and_leaves(self):
        self.begin()
        for server in self.ensemble.servers.values():
            self.assertIn("dynamicConfigFile=", server.config.read_text())
            self.assertTrue((server.folder / "zoo.cfg.bak").exists())
        fired = []
        self.client.get("/zookeeper/config", watch=fired.append)
        fourth = self.new_server()
        text = self.change(joining=self.line(fourth))
        self.assertIn(self.line(fourth), text)
        wait_for("the watch on the configuration fires", lambda: fired)
        self.assertEqual(self.config(), text)
        # Two of four are no quorum.
        others = [server for server in self.ensemble.servers.values() if server is not fourth]
        leader = self.ensemble.leader()
        down = [server for server in others if server is not leader][:2]
        for server in down:
            server.kill()
        wait_for("two of four serve nobody", lambda: not leader.mode() and not fourth.mode())
        # One more, and they start from their files.
        down[0].start()
        wait_for("three of four serve", lambda: down[0].mode() and fourth.mode())
        down[1].start()
        self.ensemble.all_serve()
        text = self.change(leaving=str(fourth.id))
        self.assertNotIn("server.4=", text)
        # It goes on without a vote.
        wait_for("it still follows", lambda: fourth.mode() == "follower")
        alone = self.ensemble.client(fourth)
        alone.create("/through-the-fourth")
        self.assertTrue(self.client.exists("/through-the-fourth"))

    def test_an_observer_is_promoted(self):
        self.begin(size=4, observers=1)
        observer = self.ensemble[4]
        self.assertEqual(observer.mode(), "observer")
        self.change(joining=self.line(observer))
        wait_for("it follows", lambda: observer.mode() == "follower")
        self.change(joining=self.line(observer, "observer"))
        wait_for("it observes again", lambda: observer.mode() == "observer")

    def test_the_leader_is_removed_under_load(self):
        self.begin(size=5)
        load = Load(self.ensemble)
        for _ in range(2):
            load.wait_for_more(200)
            leader = self.ensemble.leader()
            self.change(leaving=str(leader.id))
            wait_for("another one leads", lambda: self.ensemble.leader() is not leader)
            self.assertNotIn(f"server.{leader.id}=", self.config())
            load.wait_for_more(200)
        load.stop()
        print(f"\ntwo leaders removed, {load.count()} writes acknowledged, {load.failed} unknown", file=sys.stderr)
        load.check(self, self.ensemble)

    def test_all_are_restarted_in_turn_under_load(self):
        self.begin()
        fourth = self.new_server()
        self.change(joining=self.line(fourth))
        load = Load(self.ensemble)
        for server in list(self.ensemble.servers.values()):
            load.wait_for_more(200)
            self.assertEqual(server.stop(), 0)
            load.wait_for_more(200)
            server.start()
            self.ensemble.all_serve()
        load.stop()
        print(f"\nfour restarts, {load.count()} writes acknowledged, {load.failed} unknown", file=sys.stderr)
        load.check(self, self.ensemble)

    def test_a_client_port_moves(self):
        self.begin()
        follower = self.ensemble.followers()[0]
        (port,) = free_ports(1)
        self.change(joining=self.line(follower, client_port=port))
        old, follower.client_port = follower.client_port, port
        wait_for("it serves at its new port", lambda: follower.mode())
        follower.client_port = old
        self.assertEqual(follower.mode(), "")
        follower.client_port = port
        self.assertEqual(follower.stop(), 0)
        follower.start()
        wait_for("it comes back there", lambda: follower.mode())

    def test_what_is_refused(self):
        self.begin()
        nobody = Server(9, self.ensemble.folder)
        stranger = self.ensemble.client()
        with self.assertRaises(NoAuthError):
            stranger.reconfig(joining=self.line(nobody), leaving=None, new_members=None)
        for change, error in (
            ({"joining": "some thing"}, BadArgumentsError),
            ({"joining": "server.9=127.0.0.1:1:2:participant"}, BadArgumentsError),
            ({"leaving": "1,2"}, BadArgumentsError),
            ({"joining": self.line(nobody), "leaving": "2,3"}, NewConfigNoQuorumError),
            ({"joining": self.line(nobody), "from_config": 1}, BadVersionError),
        ):
            change = {"joining": None, "leaving": None, "new_members": None, **change}
            with self.assertRaises(error, msg=str(change)):
                self.client.reconfig(**change)
        self.assertNotIn("server.9", self.config())


if __name__ == "__main__":
    unittest.main()
