"""Stopping, starting again, coming back after a time away, and what operators ask."""

import unittest

from ensemble import OwnEnsembleTest, SharedEnsembleTest, wait_for
from load import Load


def contents(client, path):
    """Every znode under a path with its data and the fields of its Stat."""
    found = {}
    folders = [path]
    while folders:
        folder = folders.pop()
        data, stat = client.get(folder)
        found[folder] = (data, stat)
        for name in client.get_children(folder):
            folders.append(f"{folder}/{name}")
    return found


class Restart(OwnEnsembleTest):
    def test_a_clean_stop_keeps_everything(self):
        client = self.ensemble.client()
        client.create("/kept", b"1")
        client.set("/kept", b"2")
        for number in range(50):
            client.create("/kept/n-", b"%d" % number, sequence=True)
        before = contents(client, "/kept")
        epoch = self.ensemble.leader().zxid() >> 32
        client.stop()
        for server in self.ensemble.servers.values():
            self.assertEqual(server.stop(), 0, f"server {server.id} did not end cleanly")
        self.ensemble.start()
        for server in self.ensemble.servers.values():
            reader = self.ensemble.client(server)
            reader.sync("/kept")
            self.assertEqual(contents(reader, "/kept"), before)
        writer = self.ensemble.client()
        self.assertEqual(writer.create("/kept/n-", sequence=True), f"/kept/n-{50:010d}")
        self.assertGreater(self.ensemble.leader().zxid() >> 32, epoch)

    def test_the_leader_stopped_cleanly_hands_over(self):
        client = self.ensemble.client(*self.ensemble.followers())
        client.create("/before")
        leader = self.ensemble.leader()
        self.assertEqual(leader.stop(), 0)
        wait_for("another leader", lambda: self.ensemble.leader() is not leader)
        reader = self.ensemble.client(*self.ensemble.followers())
        reader.sync("/before")
        self.assertIsNotNone(reader.exists("/before"))


class Away(OwnEnsembleTest):
    # Snapshots every few hundred transactions, and no sync from the log on disk: a server that was away for long has to
    # be given a snapshot.
    settings = {"snapCount": 300, "snapshotSizeFactor": -1, "commitLogCount": 500}

    def away_while_written(self, server, writes, brought_back_by):
        load = Load(self.ensemble, f"away{writes}")
        load.wait_for_more(100)
        server.kill()
        load.wait_for_more(writes)
        load.stop()
        known = len(server.log.read_text())
        server.start()
        self.ensemble.all_serve()
        self.assertIn(f"synchronised by {brought_back_by}", server.log.read_text()[known:])
        load.check(self, self.ensemble)

    def test_a_follower_away_for_a_moment_is_given_what_it_missed(self):
        self.away_while_written(self.ensemble.followers()[0], 20, "DIFF")

    def test_a_follower_away_for_thousands_of_writes_is_given_a_snapshot(self):
        self.away_while_written(self.ensemble.followers()[0], 3000, "SNAP")

    def test_a_server_that_lost_its_disk_is_given_everything(self):
        client = self.ensemble.client(self.ensemble.leader())
        client.create("/all")
        for number in range(700):
            client.create_async(f"/all/n{number}", b"%d" % number)
        client.create("/last", b"end")
        follower = self.ensemble.followers()[0]
        follower.kill()
        for file in (follower.folder / "version-2").iterdir():
            file.unlink()
        follower.start()
        self.ensemble.all_serve()
        reader = self.ensemble.client(follower)
        self.assertEqual(reader.get("/last")[0], b"end")
        self.assertEqual(contents(reader, "/all"), contents(client, "/all"))

    def test_a_minority_does_not_serve_and_the_rest_comes_back(self):
        client = self.ensemble.client(timeout=30.0)
        client.create("/before")
        leader = self.ensemble.leader()
        followers = self.ensemble.followers()
        for follower in followers:
            follower.kill()
        wait_for("the leader gives up without a majority", lambda: leader.mode() != "leader")
        followers[0].start()
        self.ensemble.leader()
        wait_for("the client is connected again", lambda: client.connected)
        client.create("/after")
        followers[1].start()
        self.ensemble.all_serve()
        reader = self.ensemble.client(followers[1])
        reader.sync("/")
        self.assertIsNotNone(reader.exists("/before"))
        self.assertIsNotNone(reader.exists("/after"))


class FourLetterWords(SharedEnsembleTest):
    def test_each_word_answers_on_every_server(self):
        modes = []
        for server in self.ensemble.servers.values():
            self.assertEqual(server.four_letters("ruok"), "imok")
            status = server.fields("srvr")
            for name in ("Mode", "Zxid", "Node count", "Connections", "Outstanding", "Received", "Sent"):
                self.assertIn(name, status)
            modes.append(status["Mode"])
            self.assertEqual(server.fields("stat")["Mode"], status["Mode"])
        self.assertEqual(sorted(modes), ["follower", "follower", "leader"])

    def test_stat_lists_the_clients(self):
        server = self.ensemble[2]
        self.ensemble.client(server)
        lines = server.four_letters("stat").splitlines()
        self.assertTrue(any(line.startswith(" /127.0.0.1:") for line in lines), lines)

    def test_mntr_has_a_key_and_a_value_on_each_line(self):
        leader = self.ensemble.leader()
        values = dict(line.split("\t") for line in leader.four_letters("mntr").splitlines())
        self.assertEqual(values["zk_server_state"], "leader")
        self.assertEqual(values["zk_synced_followers"].split(".")[0], "2")
        for key in ("zk_znode_count", "zk_outstanding_requests", "zk_num_alive_connections", "zk_packets_received"):
            self.assertIn(key, values)
        self.client.create(self.top + "/one")
        later = dict(line.split("\t") for line in leader.four_letters("mntr").splitlines())
        self.assertEqual(int(later["zk_znode_count"]), int(values["zk_znode_count"]) + 1)

    def test_a_word_that_is_not_allowed_says_so(self):
        answer = self.ensemble[1].four_letters("dump")
        self.assertEqual(answer.strip(), "dump is not executed because it is not in the whitelist.")


if __name__ == "__main__":
    unittest.main()
