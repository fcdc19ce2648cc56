"""Servers of both kinds in one ensemble: kill -9 and restart of a random one, again and again, under load.

ZEBU_MIXED_ROUNDS sets how often; ZEBU_MIXED_SEED which servers.
"""

import os
import random
import sys
import unittest
from collections import Counter

from mixed import MixedTest, kind_of

from load import Load
from mixture import Mixture

ROUNDS = int(os.environ.get("ZEBU_MIXED_ROUNDS", "20"))
SEED = int(os.environ.get("ZEBU_MIXED_SEED", "1"))


class Rounds(MixedTest):
    def rounds(self, *kinds):
        ensemble = self.led_by_the_last(*kinds, extendedTypesEnabled="true")
        chance = random.Random(SEED)
        leading, killed = Counter(), Counter()
        load, mixture = Load(ensemble), Mixture(ensemble, SEED)
        for _ in range(ROUNDS):
            load.wait_for_more(100)
            mixture.wait_for_more(100)
            leading[kind_of(ensemble.leader())] += 1
            server = chance.choice(list(ensemble.servers.values()))
            killed[kind_of(server)] += 1
            # A server that has stopped itself would not be noticed any more.
            self.assertTrue(server.alive())
            self.assertEqual(self.wrong_digests(), {})
            server.kill()
            load.wait_for_more(100)
            mixture.wait_for_more(100)
            server.start()
            ensemble.all_serve()
        load.stop()
        mixture.stop()
        load.check(self, ensemble)
        znodes = self.same_trees()
        print(
            f"\n{' '.join(kinds)}: {ROUNDS} kills ({dict(killed)}), led by {dict(leading)}; {load.count()} writes "
            f"acknowledged, {load.failed} with unknown outcome; {mixture}; {znodes} "
            f"znodes equal on all",
            file=sys.stderr,
        )
        self.assertEqual(mixture.errors() - {"ConnectionLoss", "SessionExpiredError"}, set())
        self.assertEqual(self.wrong_digests(), {})

    def test_two_of_apache_and_a_zebu_that_leads(self):
        self.rounds("apache", "apache", "zebu")

    def test_two_of_apache_one_of_which_leads(self):
        self.rounds("zebu", "apache", "apache")

    def test_two_zebus_one_of_which_leads(self):
        self.rounds("apache", "zebu", "zebu")

    def test_two_zebus_and_one_of_apache_that_leads(self):
        self.rounds("zebu", "zebu", "apache")


class Observers(MixedTest):
    def observer(self, *kinds):
        """The last one observes: what was written before it came, and afterwards."""
        ensemble = self.of(*kinds, observers=1, extendedTypesEnabled="true")
        observer = ensemble[len(kinds)]
        self.assertEqual(observer.mode(), "observer")
        load, mixture = Load(ensemble), Mixture(ensemble)
        load.wait_for_more(300)
        if kind_of(ensemble.leader()) == "zebu":
            # Its snapshots are exact, so there is nothing that one of Apache's could count.
            mixture.wait_for_more(300)
            self.assertEqual(self.wrong_digests(observer), {})
        observer.kill()
        load.wait_for_more(3000)
        mixture.wait_for_more(300)
        observer.start()
        ensemble.all_serve()
        load.wait_for_more(300)
        through = ensemble.client(observer)
        self.assertEqual(through.create("/through", b"x", ephemeral=True), "/through")
        load.stop()
        mixture.stop()
        load.check(self, ensemble)
        self.same_trees()
        self.assertEqual(self.wrong_digests(), {})

    def test_a_zebu_observes_apache(self):
        self.observer("apache", "apache", "apache", "zebu")

    def test_one_of_apache_observes_zebu(self):
        self.observer("zebu", "zebu", "zebu", "apache")


class Sessions(MixedTest):
    def test_a_session_moves_from_one_kind_to_the_other(self):
        ensemble = self.of("apache", "zebu", "zebu")
        for first, second in ((1, 2), (3, 1)):
            client = ensemble.client(ensemble[first], ensemble[second], timeout=30.0)
            path = client.create("/mine-", ephemeral=True, sequence=True)
            session = client.client_id
            ensemble[first].kill()
            self.assertEqual(client.retry(client.get, path)[1].owner_session_id, session[0])
            self.assertEqual(client.client_id, session, "the session is the same one")
            ensemble[first].start()
            ensemble.all_serve()
            client.stop()
            other = ensemble.client(ensemble[first])
            other.sync("/")
            self.assertIsNone(other.exists(path), "the session was closed")


if __name__ == "__main__":
    unittest.main()
