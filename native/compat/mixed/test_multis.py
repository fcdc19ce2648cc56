"""Failed multis. A server of Apache's that has applied one sends, and may log, the operations before the failing one
as errors that still carry their old bodies: that is one transaction all the same."""

import json
import unittest

from mixed import MixedTest, become, zebu

ROUNDS = 20


class Multis(MixedTest):
    def fail_some(self, client, name):
        """Multis of each kind of operation that fail at their end, and writes between them that do not."""
        client.ensure_path(f"/{name}")
        for number in range(ROUNDS):
            client.create(f"/{name}/{number}", b"stays")
            failing = client.transaction()
            failing.create(f"/{name}/never", b"x" * number, ephemeral=number % 2 == 0)
            failing.set_data(f"/{name}", b"never")
            failing.delete(f"/{name}/{number}")
            failing.check(f"/{name}", 7)
            failing.create(f"/{name}/nor")
            results = [type(result).__name__ for result in failing.commit()]
            before = ["RolledBackError"] * 3
            self.assertEqual(results, before + ["BadVersionError", "RuntimeInconsistency"])

    def readable(self, server):
        """How many transactions of multis its logs have, each of which can be read."""
        lines = zebu("log", "dump", server.folder, "--json").splitlines()
        return sum(json.loads(line)["type"] == "multi" for line in lines)

    def test_apaches_failed_multis_reach_every_server(self):
        ensemble = self.led_by_the_last("zebu", "apache", "apache")
        ours, leader = ensemble[1], ensemble.leader()
        (follower,) = (server for server in ensemble.followers() if server is not ours)
        client = ensemble.client()
        client.create("/known", b"by all, so that a DIFF can begin behind it")
        ensemble.all_serve()
        self.same_trees()
        snaps = len(ensemble.log_lines("by SNAP"))
        ours.stop()
        self.fail_some(client, "first")
        ours.start()
        ensemble.all_serve()
        self.same_trees()
        self.assertEqual(len(ensemble.log_lines("by SNAP")), snaps, "it was to get the transactions")
        follower.stop()
        self.fail_some(client, "second")
        leader.stop()
        self.assertEqual(self.readable(leader), 2 * ROUNDS)
        become(leader, "zebu")
        leader.start()
        follower.start()
        ensemble.all_serve()
        self.same_trees()
        client.stop()
        for server in ensemble.servers.values():
            server.stop()
            self.assertGreaterEqual(self.readable(server), ROUNDS)


if __name__ == "__main__":
    unittest.main()
