"""An ensemble of Apache's becomes one of Zebu's, server by server on the same data, under load; and back again."""

import sys
import unittest

from mixed import MixedTest, become, kind_of

from load import Load
from mixture import Mixture


class Migration(MixedTest):
    def replace_all(self, load, kind):
        """Followers first, the leader last, as an operator does it."""
        ensemble = self.ensemble
        leader = ensemble.leader()
        order = [server for server in ensemble.servers.values() if server is not leader] + [leader]
        for server in order:
            load.wait_for_more(200)
            self.assertEqual(self.wrong_digests(), {})
            server.stop()
            become(server, kind)
            server.start()
            ensemble.all_serve()
        self.assertEqual({kind_of(server) for server in ensemble.servers.values()}, {kind})

    def test_there_and_back(self):
        ensemble = self.of("apache", "apache", "apache", extendedTypesEnabled="true")
        load, mixture = Load(ensemble), Mixture(ensemble)
        holder = ensemble.client(timeout=30.0)
        holder.create("/held", b"all the time", ephemeral=True)
        session = holder.client_id
        self.replace_all(load, "zebu")
        load.wait_for_more(3000)
        self.replace_all(load, "apache")
        load.wait_for_more(300)
        load.stop()
        mixture.stop()
        load.check(self, ensemble)
        self.assertEqual(load.errors, {"ConnectionLoss": load.failed} if load.failed else {})
        self.assertEqual(holder.client_id, session, "a session lasts through all of it")
        self.assertEqual(holder.retry(holder.get, "/held")[0], b"all the time")
        self.assertEqual(mixture.errors() - {"ConnectionLoss"}, set())
        znodes = self.same_trees()
        self.assertEqual(self.wrong_digests(), {})
        print(
            f"\nthree of Apache's to Zebu and back: {load.count()} writes acknowledged, {load.failed} lost their "
            f"connection, no other error; {mixture}; {znodes} znodes equal on all",
            file=sys.stderr,
        )


if __name__ == "__main__":
    unittest.main()
