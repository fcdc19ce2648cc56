"""Sessions: expiry, moving to another server, the end of a session's ephemerals."""

import os
import subprocess
import sys
import textwrap
import unittest

from kazoo.client import KazooState

from ensemble import OwnEnsembleTest, SharedEnsembleTest, wait_for
from raw import EPHEMERAL, RawClient


class Expiry(SharedEnsembleTest):
    def test_a_killed_clients_ephemeral_vanishes(self):
        path = self.top + "/e"
        script = textwrap.dedent(
            """
            import sys, time
            from kazoo.client import KazooClient
            client = KazooClient(hosts=sys.argv[1], timeout=4)
            client.start()
            client.create(sys.argv[2], ephemeral=True)
            print("created", flush=True)
            time.sleep(600)
            """
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script, self.ensemble[2].address, path], stdout=subprocess.PIPE, env=os.environ
        )
        with process:
            self.assertEqual(process.stdout.readline(), b"created\n")
            process.kill()
        self.client.sync(path)
        self.assertIsNotNone(self.client.exists(path), "a lost connection alone ended the session")
        wait_for("the ephemeral is gone", lambda: self.client.exists(path) is None)

    def test_an_idle_client_outlives_a_silent_one(self):
        idle = self.ensemble.client(self.ensemble[3], timeout=2.0)
        lost = []
        idle.add_listener(lambda state: lost.append(state) if state != KazooState.CONNECTED else None)
        identity = idle.client_id
        idle.create(self.top + "/idle", ephemeral=True)
        for number in range(2):
            path = f"{self.top}/silent{number}"
            silent = RawClient(self.ensemble[3].client_port, timeout_ms=2000)
            self.addCleanup(silent.close)
            self.assertEqual(silent.create(1, path, EPHEMERAL), 0)
            self.client.sync(path)
            self.assertIsNotNone(self.client.exists(path))
            wait_for("the silent session expires", lambda path=path: self.client.exists(path) is None)
        self.assertIsNotNone(self.client.exists(self.top + "/idle"))
        self.assertEqual((idle.client_id, lost), (identity, []))

    def test_a_closed_session_cannot_be_resumed(self):
        path = self.top + "/closed"
        first = self.ensemble.client(self.ensemble[1])
        identity = first.client_id
        first.create(path, ephemeral=True)
        first.stop()
        second = self.ensemble.client(self.ensemble[2], client_id=identity)
        wait_for("a session of its own", lambda: second.client_id and second.client_id[0] != identity[0])
        second.sync(path)
        self.assertIsNone(second.exists(path))

    def test_a_foreign_password_does_not_take_a_session(self):
        path = self.top + "/mine"
        owner = self.ensemble.client(self.ensemble[1])
        owner.create(path, ephemeral=True)
        session, _ = owner.client_id
        thief = self.ensemble.client(self.ensemble[2], client_id=(session, b"x" * 16))
        wait_for("a session of its own", lambda: thief.client_id and thief.client_id[0] != session)
        self.client.sync(path)
        self.assertIsNotNone(self.client.exists(path))
        self.assertEqual(owner.client_id[0], session)


class Reconnect(OwnEnsembleTest):
    def test_a_session_moves_when_its_server_is_killed(self):
        for victim in (self.ensemble.followers()[0], self.ensemble.leader()):
            with self.subTest(role=victim.mode()):
                others = [server for server in self.ensemble.servers.values() if server is not victim]
                client = self.ensemble.client(victim, *others, timeout=20.0)
                identity = client.client_id
                path = client.create("/moved-", b"kept", ephemeral=True, sequence=True)
                victim.kill()

                def answers():
                    try:
                        return client.connected and client.exists(path)
                    except Exception:
                        return None

                stat = wait_for("the session answers through another server", answers)
                self.assertEqual(client.client_id, identity)
                self.assertEqual(stat.ephemeralOwner, identity[0])
                client.set(path, b"after")
                self.assertEqual(client.get(path)[0], b"after")
                victim.start()
                self.ensemble.all_serve()
                client.stop()
                watcher = self.ensemble.client()
                wait_for("the ephemeral is gone", lambda: watcher.exists(path) is None)

    def test_sessions_outlive_a_restart_of_all_servers(self):
        client = self.ensemble.client(timeout=20.0)
        identity = client.client_id
        client.create("/stays", b"1", ephemeral=True)
        for server in self.ensemble.servers.values():
            server.stop()
        self.ensemble.start()
        wait_for("the client is connected again", lambda: client.connected)
        reader = self.ensemble.client()
        self.assertEqual(reader.get("/stays")[1].ephemeralOwner, identity[0])
        self.assertEqual(client.client_id, identity)
        client.stop()
        wait_for("the ephemeral is gone", lambda: reader.exists("/stays") is None)


if __name__ == "__main__":
    unittest.main()
