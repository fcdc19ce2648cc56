"""kill -9 under a writing load: nothing acknowledged is lost, nothing is done twice.

ZEBU_KILL_ROUNDS sets how often the leader is killed.
"""

import os
import statistics
import sys
import time
import unittest

from ensemble import OwnEnsembleTest
from load import Load

ROUNDS = int(os.environ.get("ZEBU_KILL_ROUNDS", "4"))


class Kill(OwnEnsembleTest):
    def test_the_leader_again_and_again(self):
        load = Load(self.ensemble)
        gaps = []
        started = time.monotonic()
        for _ in range(ROUNDS):
            load.wait_for_more(200)
            leader = self.ensemble.leader()
            killed = time.monotonic()
            leader.kill()
            load.wait_for_more(200)
            gaps.append(load.gap_after(killed))
            leader.start()
            self.ensemble.all_serve()
        seconds = time.monotonic() - started
        load.stop()
        print(
            f"\n{ROUNDS} kills of the leader in {seconds:.0f} s, {load.count()} writes acknowledged, "
            f"{load.failed} with unknown outcome; gap in writes: median {statistics.median(gaps) * 1000:.0f} ms, "
            f"worst {max(gaps) * 1000:.0f} ms",
            file=sys.stderr,
        )
        load.check(self, self.ensemble)

    def test_a_follower_is_not_missed(self):
        load = Load(self.ensemble)
        for _ in range(2):
            load.wait_for_more(200)
            leader = self.ensemble.leader()
            follower = self.ensemble.followers()[0]
            follower.kill()
            load.wait_for_more(200)
            self.assertEqual(self.ensemble.leader(), leader)
            follower.start()
            self.ensemble.all_serve()
        load.stop()
        load.check(self, self.ensemble)

    def test_all_at_once(self):
        load = Load(self.ensemble)
        for _ in range(2):
            load.wait_for_more(500)
            for server in self.ensemble.servers.values():
                server.process.kill()
            for server in self.ensemble.servers.values():
                server.kill()
            self.ensemble.start()
        load.wait_for_more(200)
        load.stop()
        load.check(self, self.ensemble)


if __name__ == "__main__":
    unittest.main()
