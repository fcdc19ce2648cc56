"""Members of both kinds come and go while both kinds lead: all keep the same configuration, and start from it again."""

import sys
import unittest

from mixed import CONFIG, KINDS, MixedTest, become, kind_of

from ensemble import wait_for
from load import Load

# The super user is super:test.
SETTINGS = {"reconfigEnabled": "true", "DigestAuthenticationProvider.superDigest": "super:D/InIHSb7yEEbrWz8b9l71RjZJU="}


class Reconfig(MixedTest):
    def new_server(self, kind):
        """A server that is no member; its list names the members and itself."""
        ensemble = self.ensemble
        server_id = max(ensemble.servers) + 1
        folder = ensemble.folder / f"server{server_id}"
        folder.mkdir()
        server = KINDS[kind](server_id, folder)
        ensemble.servers[server_id] = server
        ensemble.configure(server, {"snapCount": 2000, "4lw.commands.whitelist": "*", **SETTINGS})
        server.start()
        wait_for(f"server {server_id} follows", lambda: server.mode() == "follower")
        return server

    def line(self, server, role="participant"):
        address = f"127.0.0.1:{server.quorum_port}:{server.election_port}"
        return f"server.{server.id}={address}:{role};127.0.0.1:{server.client_port}"

    def change(self, **what):
        """A change asked for at the leader; every server that runs holds the same then, in its tree and in its files."""
        leader = self.ensemble.leader()
        client = self.ensemble.client(leader)
        client.add_auth("digest", "super:test")
        data, _ = client.reconfig(**{"joining": None, "leaving": None, "new_members": None, **what})
        client.stop()
        text = data.decode()
        version = text.splitlines()[-1]
        self.assertTrue(version.startswith("version="), text)
        for server in self.ensemble.servers.values():
            self.holds(server, text)
        return text

    def holds(self, server, text):
        *members, version = text.splitlines()
        name = f"zoo.cfg.dynamic.{version.removeprefix('version=')}"

        def held():
            path = server.folder / name
            # Apache's server escapes colons, as Java does in files of properties.
            if not path.exists():
                return False
            written = [line for line in path.read_text().splitlines() if not line.startswith("#")]
            return sorted(" ".join(written).replace("\\", "").split()) == sorted(members)

        wait_for(f"{kind_of(server)} {server.id} has {name}", held)
        wait_for(f"{kind_of(server)} {server.id} serves", server.mode)
        reader = self.ensemble.client(server)
        reader.sync("/")
        shown = reader.get(CONFIG)[0].decode()
        reader.stop()
        self.assertEqual((sorted(shown.splitlines()[:-1]), shown.splitlines()[-1]), (sorted(members), version))

    def go_through(self, *kinds):
        ensemble = self.led_by_the_last(*kinds, **SETTINGS)
        load = Load(ensemble)
        leads = kinds[-1]
        for kind in ("zebu", "apache"):
            joiner = self.new_server(kind)
            self.change(joining=self.line(joiner))
            load.wait_for_more(100)
            self.change(joining=self.line(joiner, "observer"))
            wait_for(f"{kind} observes", lambda: joiner.mode() == "observer")
            load.wait_for_more(100)
            self.change(joining=self.line(joiner))
            wait_for(f"{kind} follows again", lambda: joiner.mode() == "follower")
            load.wait_for_more(100)
        self.assertEqual(kind_of(ensemble.leader()), leads, "nobody else had to lead for that")
        for kind in ("zebu", "apache"):
            leaver = next(server for server in ensemble.followers() if kind_of(server) == kind)
            text = self.change(leaving=str(leaver.id))
            self.assertNotIn(f"server.{leaver.id}=", text)
            load.wait_for_more(100)
            leaver.stop()
            del ensemble.servers[leaver.id]
        # The leader itself goes: whom it names leads on.
        leader = ensemble.leader()
        text = self.change(leaving=str(leader.id))
        wait_for("another one leads", lambda: ensemble.leader() is not leader)
        load.wait_for_more(100)
        leader.stop()
        del ensemble.servers[leader.id]
        # They start from what they have written down.
        for server in list(ensemble.servers.values()):
            load.wait_for_more(50)
            server.stop()
            server.start()
            ensemble.all_serve()
            self.holds(server, text)
        load.wait_for_more(100)
        load.stop()
        load.check(self, ensemble)
        znodes = self.same_trees()
        print(
            f"\n{leads} leads {' '.join(kinds)}: nine changes of members, {load.count()} writes acknowledged, {load.failed} "
            f"with unknown outcome; {znodes} znodes equal on all",
            file=sys.stderr,
        )

    def test_where_a_zebu_leads(self):
        self.go_through("apache", "apache", "zebu")

    def test_where_one_of_apache_leads(self):
        self.go_through("zebu", "zebu", "apache")

    def test_each_starts_on_the_configuration_that_the_other_kind_has_written(self):
        ensemble = self.led_by_the_last("apache", "zebu", "zebu", **SETTINGS)
        fourth = self.new_server("apache")
        text = self.change(joining=self.line(fourth))
        for server in list(ensemble.servers.values()):
            server.stop()
            become(server, "zebu" if kind_of(server) == "apache" else "apache")
            server.start()
            ensemble.all_serve()
            self.holds(server, text)
        self.same_trees()


if __name__ == "__main__":
    unittest.main()
