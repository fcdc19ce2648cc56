"""Each kind's files, read by the other's tools and servers: nothing is different afterwards."""

import json
import re
import unittest

from mixed import CONFIG, MixedTest, become, java, tree_of, zebu

from kazoo.security import make_acl, make_digest_acl

LOG_TOOL = "org.apache.zookeeper.server.persistence.TxnLogToolkit"
SNAPSHOT_TOOL = "org.apache.zookeeper.server.SnapshotFormatter"
OTHER = {"apache": "zebu", "zebu": "apache"}


def fill(ensemble):
    """Some of everything that a file can hold."""
    client = ensemble.client()
    client.create("/plain", b"data")
    client.create("/empty", b"")
    client.create("/acl", b"", acl=[make_digest_acl("me", "secret", all=True), make_acl("world", "anyone", read=True)])
    # Kinds that this client does not know.
    address = ensemble.leader().address
    zebu("cli", "-s", address, "create", "-c", "/container", "")
    zebu("cli", "-s", address, "create", "-t", "3600000", "/ttl", "an hour")
    client.create("/container/child-", b"\x00\xff", sequence=True)
    client.create("/ephemeral", b"mine", ephemeral=True)
    for number in range(50):
        client.set("/plain", str(number).encode())
    client.create("/gone")
    client.delete("/gone")
    transaction = client.transaction()
    transaction.create("/multi", b"m")
    transaction.set_data("/empty", b"e")
    transaction.commit()
    failing = client.transaction()
    failing.create("/never")
    failing.check("/plain", 7)
    failing.commit()
    client.ensure_path("/deep/er/and/deeper")
    # Past two snapshots.
    pending = [client.create_async(f"/deep/n{number:05d}", str(number).encode()) for number in range(5000)]
    for result in pending:
        result.get(timeout=60)
    return client


class Files(MixedTest):
    settings = {"snapCount": 1500, "extendedTypesEnabled": "true"}

    def version_2(self, server):
        return server.folder / "version-2"

    def each_kind(self, check):
        for kind in ("apache", "zebu"):
            for packed in ("", "gz", "snappy"):
                with self.subTest(written_by=kind, packed=packed):
                    settings = {**self.settings, "snapshot.compression.method": packed} if packed else self.settings
                    ensemble = self.of(kind, kind, kind, **settings)
                    client = fill(ensemble)
                    check(ensemble, kind, client)
                    for server in ensemble.servers.values():
                        names = {path.name for path in self.version_2(server).glob("snapshot.*")} - {"snapshot.0"}
                        self.assertTrue(names, f"{kind} made no snapshot")
                        self.assertEqual({name.split(".")[2:] == [packed] * bool(packed) for name in names}, {True}, names)
                    ensemble.close()

    def test_apaches_tools_read_ours_and_ours_read_apaches(self):
        def check(ensemble, kind, client):
            client.stop()
            server = ensemble.followers()[0]
            server.stop()
            folder = self.version_2(server)
            logs = sorted(folder.glob("log.*"))
            snapshots = sorted(folder.glob("snapshot.*"))
            self.assertGreaterEqual(len(snapshots), 2, f"{kind} made too few snapshots: {snapshots}")
            for log in logs:
                theirs = re.findall(r" zxid (0x[0-9a-f]+) ", java(LOG_TOOL, "-d", log))
                ours = [json.loads(line)["zxid"] for line in zebu("log", "dump", log, "--json").splitlines()]
                self.assertEqual(ours, theirs, log.name)
            for snapshot in snapshots:
                theirs = java(SNAPSHOT_TOOL, snapshot)
                paths = {line for line in theirs.splitlines() if line.startswith("/")}
                lines = [json.loads(line) for line in zebu("snapshot", "dump", snapshot, "--json").splitlines()]
                self.assertEqual({line["path"] for line in lines if "path" in line}, paths, snapshot.name)
            verdict = json.loads(zebu("data", "verify", server.folder, "--json"))
            self.assertTrue(verdict["sound"] and verdict["start"]["starts"], verdict)
            self.assertGreater(verdict["start"]["digestsThatAgree"], 0)

        self.each_kind(check)

    def test_each_starts_on_the_others_data(self):
        def check(ensemble, kind, client):
            before = tree_of(ensemble, ensemble[1])
            sessions = client.client_id
            for server in ensemble.servers.values():
                server.stop()
                become(server, OTHER[kind])
            ensemble.start()
            after = tree_of(ensemble, ensemble[1])
            before.pop(CONFIG)
            after.pop(CONFIG)
            self.assertEqual(client.retry(client.get, "/ephemeral")[0], b"mine")
            self.assertEqual(client.client_id, sessions, "the session is known to the other kind")
            self.assertEqual({path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}, set())
            self.assertGreater(len(after), 5000)
            self.same_trees()
            client.stop()

        self.each_kind(check)


if __name__ == "__main__":
    unittest.main()
