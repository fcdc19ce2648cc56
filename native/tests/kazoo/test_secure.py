"""SASL and TLS with real clients: users of a JAAS file, certificates, one port for both."""

import json
import pathlib
import socket
import ssl
import tempfile
import urllib.request

from cryptography.x509.oid import NameOID
from kazoo.client import KazooClient
from kazoo.exceptions import InvalidACLError, KazooException, NoAuthError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.security import CREATOR_ALL_ACL, make_acl

from certificates import Authority
from ensemble import Ensemble, EnsembleTest, free_ports, wait_for
from test_cli import cli

SASL_PROVIDER = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
JAAS = """
// The users of the test.
Server {
    org.apache.zookeeper.server.auth.DigestLoginModule required
    user_bob="bob\\"s, secret"
    user_root="rootsecret"; /* the superuser */
};
"""


def sasl(user, password):
    return {"mechanism": "DIGEST-MD5", "username": user, "password": password}


class Servers(EnsembleTest):
    """Every test has a folder, and servers with settings of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, size=1, **settings):
        if size == 1:
            settings["standaloneEnabled"] = "false"
        self.ensemble = Ensemble(self._testMethodName, size=size, **settings)
        self.addCleanup(self.ensemble.close)
        self.ensemble.start()

    def refused(self, hosts, **options):
        """A client that does not get in."""
        client = KazooClient(hosts, connection_retry={"max_tries": 1, "delay": 0.05}, timeout=2, **options)
        self.addCleanup(client.close)
        self.addCleanup(client.stop)
        with self.assertRaises((KazooException, KazooTimeoutError)):
            client.start(timeout=3)
            client.exists("/")


class Sasl(Servers):
    def start_sasl(self, size=1, **settings):
        jaas = self.folder / "jaas.conf"
        jaas.write_text(JAAS)
        settings = {"java.security.auth.login.config": jaas, "authProvider.1": SASL_PROVIDER, **settings}
        self.start(size, **settings)

    def test_users_of_a_jaas_file_at_every_server(self):
        self.start_sasl(size=3, superUser="root")
        bob = self.ensemble.client(sasl_options=sasl("bob", 'bob"s, secret'))
        bob.create("/bobs", b"x", acl=[make_acl("sasl", "bob", all=True)])
        bob.create("/created", acl=CREATOR_ALL_ACL)
        self.assertEqual(bob.get_acls("/created")[0][0].id.id, "bob")
        for server in self.ensemble.servers.values():
            stranger = self.ensemble.client(server)
            self.assertRaises(NoAuthError, stranger.get, "/bobs")
            self.assertRaises(NoAuthError, stranger.set, "/bobs", b"y")
            for user, password in [("bob", 'bob"s, secret'), ("root", "rootsecret")]:
                client = self.ensemble.client(server, sasl_options=sasl(user, password))
                client.set("/bobs", b"x")
                self.assertEqual(client.get("/bobs")[0], b"x")
                client.stop()
            stranger.stop()

    def test_a_wrong_password_does_not_get_in(self):
        self.start_sasl()
        address = self.ensemble[1].address
        self.refused(address, sasl_options=sasl("bob", "wrong"))
        self.refused(address, sasl_options=sasl("eve", "eve"))
        self.assertIn('the password of "bob" is wrong', self.ensemble[1].log.read_text())
        self.ensemble.client().create("/others-are-served")

    def test_whoever_must_use_sasl(self):
        self.start_sasl(sessionRequireClientSASLAuth="true")
        bob = self.ensemble.client(sasl_options=sasl("bob", 'bob"s, secret'))
        bob.create("/served")
        self.refused(self.ensemble[1].address)

    def test_the_shell_logs_in(self):
        self.start_sasl(sessionRequireClientSASLAuth="true")
        address = self.ensemble[1].address
        secret, wrong, jaas = (self.folder / name for name in ("secret", "wrong", "client.conf"))
        secret.write_text('bob"s, secret\n')
        wrong.write_text("wrong")
        jaas.write_text(
            "Client { org.apache.zookeeper.server.auth.DigestLoginModule required\n"
            ' username="root" password="rootsecret"; };'
        )
        bob = ["--sasl-user", "bob", "--sasl-password-file", str(secret)]
        code, out, err = cli(address, *bob, script="create /bobs x sasl:bob:cdrwa\nget /bobs\nwhoami\n")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.startswith("Created /bobs\nx\n"), out)
        self.assertIn("sasl: bob", out)
        code, out, _ = cli(address, "--jaas", str(jaas), "whoami")
        self.assertEqual(code, 0)
        self.assertIn("sasl: root", out)
        code, out, err = cli(address, "--sasl-user", "bob", "--sasl-password-file", str(wrong), "get", "/bobs")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("authentication failed", err)
        code, _, err = cli(address, "--jaas", str(self.folder / "none"), "ls", "/")
        self.assertEqual(code, 1)
        self.assertIn("can't be read", err)


class Tls(Servers):
    def start_tls(self, size=1, **settings):
        self.start(size, **self.tls(**settings))

    def tls(self, **settings):
        """Settings for TLS with these besides or instead."""
        self.authority = Authority(self.folder)
        server, _ = self.authority.issue("server", (NameOID.COMMON_NAME, "localhost"), password="key secret")
        self.port = free_ports(1)[0]
        base = {
            "secureClientPort": self.port,
            "secureClientPortAddress": "127.0.0.1",
            "ssl.keyStore.location": server,
            "ssl.keyStore.password": "key secret",
            "ssl.trustStore.location": self.authority.path,
        }
        return {**base, **settings}

    def ask(self, word):
        """A four-letter word inside TLS."""
        user = self.user("asker")
        context = ssl.create_default_context(cafile=user["ca"])
        context.load_cert_chain(user["certfile"])
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                secure.sendall(word.encode())
                said = b""
                while chunk := secure.recv(4096):
                    said += chunk
        return said.decode()

    def user(self, common_name, authority=None):
        subject = (
            (NameOID.COUNTRY_NAME, "DE"),
            (NameOID.ORGANIZATION_NAME, "Zebu, Inc"),
            (NameOID.COMMON_NAME, common_name),
        )
        both, key = (authority or self.authority).issue(common_name, *subject)
        return {"use_ssl": True, "ca": str(self.authority.path), "certfile": str(both), "keyfile": str(key)}

    def connect(self, hosts, **options):
        client = KazooClient(hosts, **options)
        self.addCleanup(client.close)
        self.addCleanup(client.stop)
        client.start(timeout=20)
        return client

    def test_a_certificate_says_who_one_is(self):
        self.start_tls(**{"X509AuthenticationProvider.superUser": "CN=root,O=Zebu\\\\, Inc,C=DE"})
        secure = f"127.0.0.1:{self.port}"
        ann = self.connect(secure, verify_certs=True, **self.user("ann"))
        ann.create("/anns", b"x", acl=CREATOR_ALL_ACL)
        acl = ann.get_acls("/anns")[0][0]
        self.assertEqual((acl.id.scheme, acl.id.id), ("x509", "CN=ann,O=Zebu\\, Inc,C=DE"))
        plain = self.ensemble.client()
        self.assertRaises(NoAuthError, plain.get, "/anns")
        self.assertRaises(InvalidACLError, plain.create, "/x", acl=CREATOR_ALL_ACL)
        plain.create("/named", acl=[make_acl("x509", "CN=ann,O=Zebu\\, Inc,C=DE", all=True)])
        ann.set("/named", b"hers")
        self.assertRaises(NoAuthError, self.connect(secure, **self.user("eve")).get, "/anns")
        self.assertEqual(self.connect(secure, **self.user("root")).get("/anns")[0], b"x")

    def test_who_is_not_trusted_does_not_get_in(self):
        self.start_tls()
        secure = f"127.0.0.1:{self.port}"
        stranger = Authority(self.folder, "Another Authority")
        self.refused(secure, **self.user("mallory", stranger))
        self.refused(secure, use_ssl=True, ca=str(self.authority.path))
        self.refused(secure)
        self.assertIn("no TLS with it", self.ensemble[1].log.read_text())
        self.connect(secure, **self.user("ann")).create("/others-are-served")

    def test_the_shell_speaks_tls(self):
        self.start_tls()
        secure = f"127.0.0.1:{self.port}"
        user = self.user("ann")
        _, alone = self.authority.issue("eve", (NameOID.COMMON_NAME, "eve"), password="key secret")
        secret = self.folder / "secret"
        secret.write_text("key secret\n")
        stranger = Authority(self.folder, "Another Authority")
        ca, cert = ["--ca", user["ca"]], ["--cert", user["certfile"]]
        big = "x" * 300_000
        code, out, err = cli(secure, *ca, *cert, script=f"create /a {big}\nget /a\nwhoami\n")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.startswith(f"Created /a\n{big}\n"), out[-300:])
        self.assertIn("x509: CN=ann,O=Zebu\\, Inc,C=DE", out)
        for words in (["--key", user["keyfile"]], ["--insecure-no-hostname"]):
            self.assertEqual(cli(secure, *ca, *cert, *words, "ls", "/")[0], 0, words)
        eve = ["--cert", str(alone.with_suffix(".pem")), "--key", str(alone)]
        code, out, _ = cli(secure, *ca, *eve, "--key-password-file", str(secret), "whoami")
        self.assertEqual(code, 0)
        self.assertIn("x509: CN=eve", out)
        for words, want in (
            ([*ca, *eve], "its key is encrypted"),
            ([*ca, *cert, "--key", str(alone.parent / "ann.key")], None),
            (["--ca", str(stranger.path), *cert], "UnknownIssuer"),
            ([*ca, "--timeout", "3000"], "127.0.0.1"),
            (["--timeout", "3000"], "127.0.0.1"),
        ):
            code, out, err = cli(secure, *words, "ls", "/")
            self.assertEqual(code, 0 if want is None else 1, (words, err))
            self.assertIn(want or "", err)

    def test_the_shell_wants_the_right_name(self):
        self.start_tls(**{"ssl.clientAuth": "none", "ssl.trustStore.location": None, "secureClientPortAddress": "127.0.0.2"})
        secure, ca = f"127.0.0.2:{self.port}", ["--ca", str(self.authority.path)]
        code, _, err = cli(secure, *ca, "ls", "/")
        self.assertEqual(code, 1)
        self.assertIn("no TLS with it", err)
        self.assertEqual(cli(secure, *ca, "--insecure-no-hostname", "ls", "/")[:2], (0, "[zookeeper]\n"))

    def test_the_operator_sees_what_is_secure(self):
        settings = {"admin.enableServer": "true", "admin.serverPort": lambda server: server.admin_port}
        self.start_tls(**settings, **{"ssl.clientAuth": "want", "netty.server.outstandingHandshake.limit": 1})
        server, secure = self.ensemble[1], f"127.0.0.1:{self.port}"

        def numbers():
            lines = server.four_letters("mntr").splitlines()
            return {name.removeprefix("zk_"): value for name, value in (line.split("\t") for line in lines)}

        plain = self.ensemble.client()
        ann = self.connect(secure, **self.user("ann"))
        unnamed = self.connect(secure, use_ssl=True, ca=str(self.authority.path))
        url = f"http://127.0.0.1:{server.admin_port}/commands/"
        for command in ("connections", "stats"):
            told = json.loads(urllib.request.urlopen(url + command, timeout=20).read())
            self.assertEqual((len(told["connections"]), len(told["secure_connections"])), (1, 2), command)
        # Of them and of the one that asks, only one has shown a certificate.
        seen = numbers()
        self.assertEqual((seen["num_alive_connections"], seen["non_mtls_local_conn_count"]), ("4", "3"))
        self.assertEqual((seen["outstanding_tls_handshake"], seen["tls_handshake_exceeded"]), ("0", "0"))
        with socket.create_connection(("127.0.0.1", self.port), timeout=20):
            wait_for("a handshake is under way", lambda: numbers()["outstanding_tls_handshake"] == "1")
            with socket.create_connection(("127.0.0.1", self.port), timeout=20) as refused:
                self.assertEqual(refused.recv(1), b"")
            self.assertEqual(numbers()["tls_handshake_exceeded"], "1")
        wait_for("it is over", lambda: numbers()["outstanding_tls_handshake"] == "0")
        for client in (plain, ann, unnamed):
            client.stop()

    def test_tls_alone(self):
        """A server without clientPort: operators see -1 and null where others have that port."""
        settings = {
            "standaloneEnabled": "false",
            "clientPort": None,
            "clientPortAddress": None,
            "4lw.commands.whitelist": "conf, no such word",
            "admin.enableServer": "true",
            "admin.serverPort": lambda server: server.admin_port,
        }
        self.ensemble = Ensemble(self._testMethodName, size=1, **self.tls(**settings))
        self.addCleanup(self.ensemble.close)
        server = self.ensemble[1]
        server.start()
        self.connect(f"127.0.0.1:{self.port}", **self.user("ann")).create("/served")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.client_port), timeout=20)
        log = server.log.read_text()
        self.assertNotIn("INFO client port", log)
        self.assertIn('4lw.commands.whitelist: "no such word" is no word', log)
        self.assertTrue(self.ask("conf").startswith(f"clientPort=-1\nsecureClientPort={self.port}\n"))

        def told(command):
            url = f"http://127.0.0.1:{server.admin_port}/commands/{command}"
            return json.loads(urllib.request.urlopen(url, timeout=20).read())

        self.assertEqual(told("configuration")["client_port"], -1)
        self.assertIsNone(told("voting_view")["current_config"]["1"]["clientAddress"])
        self.assertIsNone(told("zabstate")["client_address"])

    def test_without_client_certificates(self):
        self.start_tls(**{"ssl.clientAuth": "none", "ssl.trustStore.location": None})
        client = self.connect(f"127.0.0.1:{self.port}", use_ssl=True, ca=str(self.authority.path), verify_certs=True)
        client.create("/served", b"x" * 500_000)
        self.assertEqual(len(client.get("/served")[0]), 500_000)

    def test_one_port_for_both(self):
        self.start_tls(**{"client.portUnification": "true", "secureClientPort": None, "ssl.clientAuth": "want"})
        address = self.ensemble[1].address
        self.connect(address, **self.user("ann")).create("/secure")
        self.connect(address, use_ssl=True, ca=str(self.authority.path)).create("/unnamed")
        self.assertEqual(sorted(set(self.ensemble.client().get_children("/"))), ["secure", "unnamed", "zookeeper"])
        self.assertEqual(self.ensemble[1].four_letters("ruok"), "imok")

    def test_four_letter_words_inside_tls(self):
        self.start_tls()
        for word, answer in [("ruok", "imok"), ("srvr", "Zookeeper version")]:
            said = self.ask(word)
            self.assertTrue(said.startswith(answer), said)
