"""Access lists with real clients: digest, ip and super, at leader and followers alike."""

import struct
import unittest

from kazoo.exceptions import AuthFailedError, InvalidACLError, NoAuthError
from kazoo.security import (
    ACL,
    CREATOR_ALL_ACL,
    OPEN_ACL_UNSAFE,
    Id,
    Permissions,
    make_acl,
    make_digest_acl,
    make_digest_acl_credential,
)

from ensemble import Ensemble, EnsembleTest, OwnEnsembleTest, SharedEnsembleTest, wait_for
from raw import CLOSE, RawClient, string

EXISTS, PING, AUTH = 3, 11, 100
AUTH_FAILED, SESSION_CLOSED_REQUIRE_AUTH = -115, -124


def auth(scheme, data):
    """The body of an auth packet."""
    return struct.pack(">i", 0) + string(scheme) + struct.pack(">i", len(data)) + data


# zookeeper.DigestAuthenticationProvider.superDigest of super:admin.
SUPER = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="


class Lists(SharedEnsembleTest):
    """What a list allows, whichever server is asked."""

    @classmethod
    def setUpClass(cls):
        cls.ensemble = Ensemble(cls.__name__, **{"zookeeper.DigestAuthenticationProvider.superDigest": SUPER})
        cls.addClassCleanup(cls.ensemble.close)
        cls.ensemble.start()

    def each_server(self, **options):
        """A client at each server, synced."""
        for server in self.ensemble.servers.values():
            client = self.ensemble.client(server, **options)
            client.sync(self.top)
            yield client
            client.stop()

    def test_a_digest_is_asked_for_at_every_server(self):
        owner = self.ensemble.client(auth_data=[("digest", "ann:secret")])
        path = f"{self.top}/hers"
        owner.create(path, b"x", acl=[make_digest_acl("ann", "secret", all=True)])
        for stranger in self.each_server():
            for refused in (
                lambda: stranger.get(path),
                lambda: stranger.get_children(path),
                lambda: stranger.exists(path),
                lambda: stranger.set(path, b"y"),
                lambda: stranger.create(f"{path}/child"),
                lambda: stranger.get_acls(path),
                lambda: stranger.set_acls(path, CREATOR_ALL_ACL),
            ):
                self.assertRaises((NoAuthError, InvalidACLError), refused)
            stranger.add_auth("digest", "ann:wrong")
            self.assertRaises(NoAuthError, stranger.get, path)
            stranger.add_auth("digest", "ann:secret")
            self.assertEqual(stranger.get(path)[0], b"x")
        for number, friend in enumerate(self.each_server(auth_data=[("digest", "ann:secret")])):
            friend.set(path, b"x")
            friend.create(f"{path}/{number}", acl=CREATOR_ALL_ACL)
            self.assertEqual(friend.get_acls(f"{path}/{number}")[0][0].id.id, make_digest_acl_credential("ann", "secret"))

    def test_the_creator_is_whoever_has_shown_who_it_is(self):
        path = f"{self.top}/created"
        self.assertRaises(InvalidACLError, self.client.create, path, acl=CREATOR_ALL_ACL)
        client = self.ensemble.client(auth_data=[("digest", "a:1"), ("digest", "b:2")])
        client.create(path, acl=CREATOR_ALL_ACL)
        ids = [acl.id for acl in client.get_acls(path)[0]]
        self.assertEqual(sorted(ids), sorted(Id("digest", make_digest_acl_credential(*user)) for user in (("a", "1"), ("b", "2"))))

    def test_the_hash_is_hidden_from_those_who_may_not_change_it(self):
        path = f"{self.top}/masked"
        self.client.create(path, acl=[make_digest_acl("ann", "secret", all=True), make_acl("world", "anyone", read=True)])
        self.assertEqual(self.client.get_acls(path)[0][0].id, Id("digest", "ann:x"))
        owner = self.ensemble.client(auth_data=[("digest", "ann:secret")])
        self.assertEqual(owner.get_acls(path)[0][0].id.id, make_digest_acl_credential("ann", "secret"))

    def test_the_superuser_may_do_everything(self):
        path = f"{self.top}/locked"
        self.client.create(path, b"x", acl=[make_digest_acl("ann", "secret", all=True)])
        self.assertRaises(NoAuthError, self.client.set_acls, path, OPEN_ACL_UNSAFE)
        for root in self.each_server(auth_data=[("digest", "super:admin")]):
            self.assertEqual(root.get(path)[0], b"x")
            root.set(path, b"x")
            root.set_acls(path, [make_digest_acl("ann", "secret", all=True)])
        for impostor in self.each_server(auth_data=[("digest", "super:wrong")]):
            self.assertRaises(NoAuthError, impostor.get, path)

    def test_an_address_opens_a_node(self):
        for number, (address, opens) in enumerate(
            [("127.0.0.1", True), ("127.0.0.0/8", True), ("127.0.0.2", False), ("10.0.0.0/8", False), ("::1", False)]
        ):
            path = f"{self.top}/{number}"
            self.client.create(path, b"x", acl=[make_acl("ip", address, all=True)])
            for client in self.each_server():
                if opens:
                    client.set(path, b"x")
                    self.assertEqual(client.get(path)[0], b"x")
                else:
                    self.assertRaises(NoAuthError, client.get, path)
                    self.assertRaises(NoAuthError, client.set, path, b"y")

    def test_schemes_without_a_provider_are_no_list(self):
        for scheme, name in [("sasl", "bob"), ("x509", "CN=bob"), ("foo", "x"), ("super", ""), ("digest", "nocolon")]:
            with self.subTest(scheme=scheme):
                acl = [ACL(Permissions.ALL, Id(scheme, name))]
                self.assertRaises(InvalidACLError, self.client.create, f"{self.top}/{scheme}", acl=acl)

    def test_an_auth_packet_that_shows_nobody_ends_the_connection(self):
        client = self.ensemble.client()
        self.assertRaises(AuthFailedError, client.add_auth, "foo", "bar")
        for packet, answered in [(auth("foo", b"bar"), True), (auth("sasl", b"bob"), True), (b"\0\0", False)]:
            raw = RawClient(self.ensemble[1].client_port)
            self.addCleanup(raw.close)
            if answered:
                self.assertEqual(raw.request(-4, AUTH, packet), AUTH_FAILED)
            else:
                self.assertRaises(EOFError, raw.request, -4, AUTH, packet)
            self.assertRaises(EOFError, raw.read_frame)

    def test_a_watch_fires_for_whoever_its_owner_has_become(self):
        path = f"{self.top}/seen"
        watcher = self.ensemble.client()
        told = []
        self.assertIsNone(watcher.exists(path, watch=told.append))
        watcher.add_auth("digest", "ann:secret")
        self.client.create(path, acl=[make_digest_acl("ann", "secret", all=True)])
        wait_for("the watch fires", lambda: told)


class Enforced(EnsembleTest):
    """A client must show who it is before it is served."""

    def test_strangers_are_told_and_closed(self):
        settings = {"standaloneEnabled": "false", "enforce.auth.enabled": "true", "enforce.auth.schemes": "digest"}
        self.ensemble = Ensemble(self._testMethodName, size=1, **settings)
        self.addCleanup(self.ensemble.close)
        self.ensemble.start()
        client = self.ensemble.client(auth_data=[("digest", "ann:secret")])
        client.create("/served")
        for xid, opcode, body in [(-2, PING, b""), (1, EXISTS, string("/served") + b"\0"), (2, CLOSE, b"")]:
            stranger = RawClient(self.ensemble[1].client_port)
            self.addCleanup(stranger.close)
            self.assertEqual(stranger.request(xid, opcode, body), SESSION_CLOSED_REQUIRE_AUTH)
            self.assertRaises(EOFError, stranger.read_frame)
        self.assertIsNotNone(client.exists("/served"))


class Eager(OwnEnsembleTest):
    """A write that a server's own tree forbids does not reach the leader: it takes no zxid."""

    settings = {"enableEagerACLCheck": "true"}

    def test_a_forbidden_write_takes_no_zxid(self):
        owner = self.ensemble.client(auth_data=[("digest", "ann:secret")])
        owner.create("/hers", acl=CREATOR_ALL_ACL)
        for server in self.ensemble.servers.values():
            stranger = self.ensemble.client(server)
            stranger.sync("/hers")
            before = server.zxid()
            self.assertRaises(NoAuthError, stranger.set, "/hers", b"y")
            self.assertRaises(NoAuthError, stranger.create, "/hers/x")
            self.assertRaises(NoAuthError, stranger.set_acls, "/hers", OPEN_ACL_UNSAFE)
            self.assertEqual(server.zxid(), before)
            stranger.create(f"/{server.id}")
            self.assertEqual(server.zxid(), before + 1)
        owner.set("/hers", b"z")


if __name__ == "__main__":
    unittest.main()
