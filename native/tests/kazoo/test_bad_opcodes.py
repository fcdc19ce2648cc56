"""Every opcode with bodies that no client would send: the server answers as the protocol's reference says, or closes
that one connection with a logged reason, and other clients notice nothing.

A row is what is sent, and what must come of it: an error code (0 for success) with the connection left open, or
`closed(...)`, where the connection ends after that code, or without any answer.
"""

import itertools
import struct
import unittest

import raw
from ensemble import OwnEnsembleTest

MAX_BUFFER = 0xFFFFF
HUGE = 0x7FFFFFFF

CREATE, DELETE, EXISTS, GET_DATA, SET_DATA, GET_ACL, SET_ACL, GET_CHILDREN, SYNC = range(1, 10)
PING, GET_CHILDREN2, CHECK, MULTI, CREATE2, RECONFIG, CHECK_WATCHES, REMOVE_WATCHES = range(11, 19)
CREATE_CONTAINER, DELETE_CONTAINER, CREATE_TTL, MULTI_READ = range(19, 23)
AUTH, SET_WATCHES, SASL, GET_EPHEMERALS, ALL_CHILDREN, SET_WATCHES2, ADD_WATCH, WHO_AM_I = range(100, 108)
CREATE_SESSION, CLOSE_SESSION = -10, -11

OK, MARSHALLING, UNIMPLEMENTED, BAD_ARGUMENTS = 0, -5, -6, -8
NO_NODE, NO_AUTH, BAD_VERSION, NODE_EXISTS = -101, -102, -103, -110
INVALID_ACL, AUTH_FAILED, NO_WATCHER, RECONFIG_DISABLED = -114, -115, -121, -123

# A znode that is there, and one that is not.
THERE, GONE = "/unharmed", "/not-there"


def closed(code=None):
    """The connection ends; before that, the answer has this code, or there is none."""
    return ("closed", code)


def i32(*numbers):
    return struct.pack(f">{len(numbers)}i", *numbers)


def i64(number):
    return struct.pack(">q", number)


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return i32(len(data)) + data


NULL = i32(-1)
YES, NO = b"\1", b"\0"


def acl(*entries, count=None):
    entries = entries or ((31, "world", "anyone"),)
    return i32(len(entries) if count is None else count) + b"".join(
        i32(perms) + text(scheme) + text(name) for perms, scheme, name in entries
    )


OPEN = acl()


def create(path, access=OPEN, flags=0, data=NULL):
    return text(path) + data + access + i32(flags)


def member(opcode, body):
    return i32(opcode) + NO + i32(-1) + body


END = i32(-1) + YES + i32(-1)


def paths(*lists):
    return i64(0) + b"".join(i32(len(entries)) + b"".join(text(entry) for entry in entries) for entry in lists)


# Strings that can't be read, whatever they are part of.
UNREADABLE = {
    "nothing": b"",
    "half a length": b"\0\0",
    "null for a path": NULL,
    "a negative length": i32(-7) + b"/a",
    "the longest length": i32(HUGE) + b"/a",
    "the lowest length": i32(-0x80000000) + b"/a",
    "a length beyond the frame": i32(50) + b"/a",
    "a path and no more": text("/a"),
}

# What may stand behind a path, by opcode, when the path is all that is wrong.
BEHIND_THE_PATH = {
    CREATE: NULL + OPEN + i32(0),
    CREATE2: NULL + OPEN + i32(0),
    CREATE_CONTAINER: NULL + OPEN + i32(4),
    DELETE: i32(-1),
    EXISTS: NO,
    GET_DATA: NO,
    SET_DATA: NULL + i32(-1),
    GET_ACL: b"",
    SET_ACL: OPEN + i32(-1),
    GET_CHILDREN: NO,
    GET_CHILDREN2: NO,
    ALL_CHILDREN: b"",
}

CREATES = (CREATE, CREATE2, CREATE_CONTAINER)
READS = (EXISTS, GET_DATA, GET_ACL, GET_CHILDREN, GET_CHILDREN2, ALL_CHILDREN)

# Path, then what comes of it for creates, delete, setData and setACL, and reads.
PATHS = [
    ("", BAD_ARGUMENTS, BAD_ARGUMENTS, BAD_ARGUMENTS, OK),
    ("a", BAD_ARGUMENTS, BAD_ARGUMENTS, BAD_ARGUMENTS, NO_NODE),
    ("/", NODE_EXISTS, BAD_ARGUMENTS, None, OK),
    ("//", BAD_ARGUMENTS, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    ("/a/", NO_NODE, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    (THERE + "-too/", BAD_ARGUMENTS, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    ("/a//b", NO_NODE, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    ("/a/../b", NO_NODE, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    ("/..", BAD_ARGUMENTS, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    ("/.", BAD_ARGUMENTS, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    ("/\x1f", BAD_ARGUMENTS, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    ("/\x7f", BAD_ARGUMENTS, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    ("/\ue000", BAD_ARGUMENTS, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    ("/\ufff0", BAD_ARGUMENTS, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    (b"/\xff\xfe", BAD_ARGUMENTS, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    (b"/\xed\xa0\x80", BAD_ARGUMENTS, NO_NODE, BAD_ARGUMENTS, NO_NODE),
    ("/zookeeper", NODE_EXISTS, BAD_ARGUMENTS, None, OK),
    ("/zookeeper/quota", NODE_EXISTS, BAD_ARGUMENTS, None, OK),
    ("/zookeeper/config", NODE_EXISTS, BAD_ARGUMENTS, None, OK),
    ("/" + "a" * 500_000, None, NO_NODE, NO_NODE, NO_NODE),
]


def path_rows():
    for path, of_create, of_delete, of_change, of_read in PATHS:
        groups = [(CREATES, of_create), ((DELETE,), of_delete), ((SET_DATA, SET_ACL), of_change), (READS, of_read)]
        for opcodes, code in groups:
            for opcode in opcodes if code is not None else ():
                yield f"path {path[:20]!r}", opcode, text(path) + BEHIND_THE_PATH[opcode], code
    for opcode in (CREATE, DELETE, SET_DATA, SET_ACL, EXISTS):
        yield "a path with NUL", opcode, text("/a\0b") + BEHIND_THE_PATH[opcode], BAD_ARGUMENTS
    yield "a path that is no text", SYNC, text(b"/\xff"), OK
    yield "no path at all", SYNC, text(""), OK


def unreadable_rows():
    of_whole_bodies = (*BEHIND_THE_PATH, CREATE_TTL, SYNC, ADD_WATCH, CHECK_WATCHES, REMOVE_WATCHES)
    for opcode in of_whole_bodies:
        for name, body in UNREADABLE.items():
            if name == "a path and no more" and BEHIND_THE_PATH.get(opcode, b"" if opcode == SYNC else None) == b"":
                continue
            yield name, opcode, body, MARSHALLING
        if opcode in BEHIND_THE_PATH:
            # What is left over behind a record is not looked at.
            code = NODE_EXISTS if opcode in CREATES else BAD_VERSION if opcode in (DELETE, SET_DATA, SET_ACL) else OK
            body = text(THERE) + BEHIND_THE_PATH[opcode]
            if code == BAD_VERSION:
                body = body[:-4] + i32(77)
            yield "too much", opcode, body + bytes(1000), code
    for opcode in (CREATE, SET_DATA):
        for length in (-2, HUGE, -0x80000000, 100):
            yield f"data of length {length}", opcode, text("/x") + i32(length) + b"x", MARSHALLING
    for count in (HUGE, 1 << 20, 2, -7, -0x80000000):
        yield f"an access list of {count}", CREATE, create("/x", acl(count=count)), MARSHALLING
        yield f"an access list of {count}", SET_ACL, text(THERE) + acl(count=count) + i32(-1), MARSHALLING
    for opcode, lists in ((SET_WATCHES, 3), (SET_WATCHES2, 5)):
        for at, count in itertools.product(range(lists), (-1, -7, HUGE, 3)):
            body = i64(0) + b"".join(i32(count if i == at else 0) for i in range(lists))
            yield f"list {at} of {count}", opcode, body, MARSHALLING
        yield "half a zxid", opcode, bytes(4), MARSHALLING
        yield "a null path in a list", opcode, i64(0) + i32(1) + NULL + bytes(16), MARSHALLING
    yield "a prefix beyond the frame", GET_EPHEMERALS, i32(9), MARSHALLING
    yield "nothing", GET_EPHEMERALS, b"", MARSHALLING
    yield "nothing", RECONFIG, b"", MARSHALLING
    yield "half of it", RECONFIG, NULL * 3 + bytes(4), MARSHALLING


def argument_rows():
    for opcode, flags in itertools.product((CREATE, CREATE2), (-1, 7, HUGE)):
        yield f"flags {flags}", opcode, create("/x", flags=flags), BAD_ARGUMENTS
    for opcode, flags in itertools.product((CREATE, CREATE2), (5, 6)):
        yield f"flags {flags}, TTL znodes are off", opcode, create("/x", flags=flags), UNIMPLEMENTED
    for flags, code in ((5, UNIMPLEMENTED), (6, UNIMPLEMENTED), (0, BAD_ARGUMENTS), (1, BAD_ARGUMENTS), (9, BAD_ARGUMENTS)):
        yield f"flags {flags}, TTL znodes are off", CREATE_TTL, create("/x", flags=flags) + i64(1000), code
    yield "wrong flags come before a wrong path", CREATE, create("x", flags=9), BAD_ARGUMENTS
    for name, access in {
        "an empty access list": i32(0),
        "a null access list": NULL,
        "an unknown scheme": acl((31, "nobody", "x")),
        "no scheme": acl((31, "", "")),
        "a world that is not anyone": acl((31, "world", "me")),
        "a digest without a colon": acl((31, "digest", "me")),
        "a digest with two": acl((31, "digest", "a:b:c")),
        "no address": acl((31, "ip", "localhost")),
        "an address with too many bits": acl((31, "ip", "10.0.0.1/33")),
        "auth without any": acl((31, "auth", "")),
        "super": acl((31, "super", "")),
        "one good, one bad": acl((31, "world", "anyone"), (1, "sasl", "x")),
    }.items():
        yield name, CREATE, create("/x", access), INVALID_ACL
        yield name, SET_ACL, text(THERE) + access + i32(-1), INVALID_ACL
    yield "an access list of null strings", CREATE, create("/x", i32(1, 31) + NULL + NULL), MARSHALLING
    for version in (77, -2, HUGE, -0x80000000):
        yield f"version {version}", DELETE, text(THERE) + i32(version), BAD_VERSION
        yield f"version {version}", SET_DATA, text(THERE) + NULL + i32(version), BAD_VERSION
        yield f"version {version}", SET_ACL, text(THERE) + OPEN + i32(version), BAD_VERSION
    yield "the servers' own znode", SET_DATA, text("/zookeeper/config") + NULL + i32(-1), NO_AUTH
    yield "a reconfiguration", RECONFIG, NULL * 3 + i64(-1), RECONFIG_DISABLED
    for mode in (2, -1, HUGE):
        yield f"mode {mode}", ADD_WATCH, text("/a") + i32(mode), MARSHALLING
    yield "a path that can't be", ADD_WATCH, text("abc/") + i32(0), OK
    for opcode in (CHECK_WATCHES, REMOVE_WATCHES):
        for kind in (0, 6, -1, HUGE):
            yield f"type {kind}", opcode, text("/a") + i32(kind), MARSHALLING
        for kind in range(1, 6):
            yield f"no watch of type {kind}", opcode, text("/nobody-watches") + i32(kind), NO_WATCHER
    yield "a prefix that is none", GET_EPHEMERALS, text("\ufffd"), OK
    yield "null for a prefix", GET_EPHEMERALS, NULL, OK
    yield "a body", WHO_AM_I, b"body", OK


def multi_rows():
    there = text(THERE)
    yield "nothing", MULTI, b"", MARSHALLING
    yield "an end alone", MULTI, END, OK
    yield "no end", MULTI, member(CHECK, there + i32(-1)), MARSHALLING
    yield "half an end", MULTI, END[:5], MARSHALLING
    yield "much behind the end", MULTI, END + bytes(500), OK
    for opcode, body in ((GET_DATA, there + NO), (SET_ACL, there + OPEN + i32(-1)), (EXISTS, there + NO)):
        yield f"member {opcode}", MULTI, member(opcode, body) + END, MARSHALLING
    yield "itself", MULTI, member(MULTI, END) + END, MARSHALLING
    for opcode in (0, -1, -11, 4711, HUGE):
        yield f"member {opcode}", MULTI, member(opcode, there) + END, MARSHALLING
    yield "a thousand multis in each other", MULTI, member(MULTI, b"") * 1000 + END * 1000, MARSHALLING
    yield "a member whose path is too long", MULTI, member(CHECK, i32(HUGE)) + END, MARSHALLING
    # Members that fail are told in the body; the header says that all is well.
    yield "a member that fails", MULTI, member(CREATE, create("/x")) + member(CREATE, create("x")) + END, OK
    yield "odd flags in a member", MULTI, member(CREATE, create("/x", flags=9)) + END, OK
    yield "a version that is none", MULTI, member(CHECK, there + i32(-2)) + END, OK
    yield "an end alone", MULTI_READ, END, OK
    yield "nothing", MULTI_READ, b"", MARSHALLING
    yield "no end", MULTI_READ, member(GET_DATA, there + NO), MARSHALLING
    yield "a znode that is gone", MULTI_READ, member(GET_DATA, text(GONE) + NO) + END, OK
    for opcode, body in ((SET_DATA, there + NULL + i32(-1)), (EXISTS, there + NO), (MULTI_READ, END), (4711, b"")):
        yield f"member {opcode}", MULTI_READ, member(opcode, body) + END, MARSHALLING


def connection_rows():
    for opcode in (0, -1, -12, 10, 23, 99, 108, 4711, HUGE, -0x80000000):
        yield "an unknown opcode", opcode, b"", closed(UNIMPLEMENTED)
    yield "a check outside a multi", CHECK, text(THERE) + i32(-1), closed(UNIMPLEMENTED)
    yield "a session in the session", CREATE_SESSION, i32(4000), closed(UNIMPLEMENTED)
    yield "the servers' own", DELETE_CONTAINER, text("/container"), BAD_ARGUMENTS
    for scheme in ("world", "auth", "sasl", "super", "nobody", ""):
        yield f"scheme {scheme}", AUTH, i32(0) + text(scheme) + text("me:secret"), closed(AUTH_FAILED)
    yield "no password", AUTH, i32(0) + text("digest") + NULL, closed(AUTH_FAILED)
    for name, body in {
        "nothing": b"",
        "half of it": i32(0) + text("digest"),
        "a null scheme": i32(0) + NULL + text("x"),
        "a password beyond the frame": i32(0) + text("digest") + i32(500),
    }.items():
        yield name, AUTH, body, closed()
    for auth in ("me:secret", "nocolon", "a:b:c", ""):
        yield f"password {auth}", AUTH, i32(99) + text("digest") + text(auth), OK
    yield "an address", AUTH, i32(0) + text("ip") + text("9.9.9.9"), OK
    yield "a token that nobody asked for", SASL, text("token"), OK


ROWS = [*path_rows(), *unreadable_rows(), *argument_rows(), *multi_rows(), *connection_rows()]


class BadOpcodes(OwnEnsembleTest):
    settings = {"maxClientCnxns": 0}

    def setUp(self):
        super().setUp()
        self.leader = self.ensemble.leader()
        self.follower = self.ensemble.followers()[0]
        self.epoch = self.leader.zxid() >> 32
        # The witness has a session, an ephemeral and a watch, and must notice nothing.
        self.client = self.ensemble.client(self.follower, self.leader)
        self.identity = self.client.client_id
        self.client.create(THERE, b"0", ephemeral=True)
        self.client.create(THERE + "-too", b"0")
        self.client.create("/container", b"")
        self.told = []
        self.client.get_children("/", watch=self.told.append)
        self.client.get(THERE, watch=self.told.append)

    def nobody_noticed(self):
        self.assertEqual(self.told, [], "nothing has changed that somebody watches")
        self.assertEqual(self.client.get(THERE)[1].version, 0)
        self.assertEqual(
            sorted(self.client.get_children("/")), ["container", THERE[1:], THERE[1:] + "-too", "zookeeper"]
        )
        self.assertEqual(self.client.client_id, self.identity)
        for server in self.ensemble.servers.values():
            self.assertTrue(server.alive())
            self.assertEqual(server.four_letters("ruok"), "imok")
            self.assertNotIn("panicked", server.log.read_text(errors="replace"))
        self.assertEqual(self.ensemble.leader(), self.leader)
        self.assertEqual(self.leader.zxid() >> 32, self.epoch)

    def outcome(self, session, opcode, body):
        """What comes of a request: its code, or that the connection ended, and with which code."""
        try:
            code = session.request(7, opcode, body)
        except (EOFError, ConnectionError):
            return closed()
        try:
            # Still open: the answer to a ping follows, whatever is left of the body.
            session.socket.sendall(raw.frame(i32(-2, PING)))
            while struct.unpack(">i", session.read_frame()[:4])[0] != -2:
                pass
        except (EOFError, ConnectionError):
            return closed(code)
        return code

    def test_rows(self):
        for server in (self.leader, self.follower):
            session = None
            for name, opcode, body, expected in ROWS:
                with self.subTest(server=server.mode(), opcode=opcode, sent=name):
                    if session is None:
                        session = raw.RawClient(server.client_port, timeout_ms=10_000)
                    found = self.outcome(session, opcode, body)
                    if isinstance(found, tuple):
                        session.close()
                        session = None
                    self.assertEqual(found, expected)
            if session is not None:
                session.close()
            self.nobody_noticed()
        for server in (self.leader, self.follower):
            # Each connection that was ended has its line.
            logged = server.log.read_text(errors="replace").count("ends the connection:")
            self.assertGreaterEqual(logged, sum(isinstance(row[3], tuple) for row in ROWS))

    def test_before_the_session(self):
        """Whatever is no connect request ends the connection, without an answer."""
        requests = {
            "a ping": i32(-2, PING),
            "a read": i32(1, GET_CHILDREN) + text("/") + NO,
            "a write": i32(1, CREATE) + create("/x"),
            "an auth packet": i32(-4, AUTH) + i32(0) + text("digest") + text("a:b"),
            "the end of a session": i32(1, CLOSE_SESSION),
            "stray bytes": bytes(8),
            "a connect request cut short": raw.connect_request()[:27],
            "a password longer than the frame": raw.connect_request()[:24] + i32(HUGE),
            "a password of a negative length": raw.connect_request()[:24] + i32(-5),
        }
        for server in (self.leader, self.follower):
            for name, request in requests.items():
                with self.subTest(server=server.mode(), sent=name):
                    connection = raw.open_port(server.client_port)
                    connection.sendall(raw.frame(request))
                    self.assertEqual(connection.recv(1), b"")
                    connection.close()
            for name, request in {
                "without the read-only flag": raw.connect_request()[:-1],
                "with bytes behind": raw.connect_request() + b"behind",
                "without a password": raw.connect_request()[:24] + NULL + NO,
                "with an empty password": raw.connect_request()[:24] + i32(0) + NO,
                "of protocol 7": i32(7) + raw.connect_request()[4:],
                "with a negative timeout": raw.connect_request(timeout_ms=-1),
            }.items():
                with self.subTest(server=server.mode(), sent=name):
                    connection = raw.open_port(server.client_port)
                    connection.sendall(raw.frame(request))
                    (length,) = struct.unpack(">i", connection.recv(4, 0x100))
                    self.assertEqual(length, 36 if name == "without the read-only flag" else 37)
                    connection.close()
            with self.subTest(server=server.mode(), sent="a session that is none"):
                connection = raw.open_port(server.client_port)
                connection.sendall(raw.frame(raw.connect_request(session=0x123456789)))
                answer = connection.recv(41, 0x100)
                self.assertEqual(struct.unpack(">iiiq", answer[:20]), (37, 0, 0, 0), "it has expired")
                self.assertEqual(connection.recv(1), b"")
                connection.close()
        self.nobody_noticed()

    def test_frames_within_a_session(self):
        read = i32(1, EXISTS) + text(THERE) + NO
        rows = {
            "a second connect request": (raw.frame(raw.connect_request()), closed(UNIMPLEMENTED)),
            "a reply to nothing": (raw.frame(i32(1) + i64(5) + i32(0)), closed(UNIMPLEMENTED)),
            "an event": (raw.frame(i32(-1) + i64(-1) + i32(0, 3, 3) + text("/a")), closed()),
            "an empty frame": (i32(0), closed()),
            "seven bytes": (raw.frame(bytes(7)), closed()),
            "a negative length": (i32(-1), closed()),
            "the lowest length": (i32(-0x80000000), closed()),
            "a length over jute.maxbuffer": (i32(MAX_BUFFER + 1), closed()),
            "a four-letter word": (b"ruok", closed()),
            "as much as may be": (raw.frame(read + bytes(MAX_BUFFER - len(read))), OK),
        }
        for server in (self.leader, self.follower):
            for name, (sent, expected) in rows.items():
                with self.subTest(server=server.mode(), sent=name):
                    session = raw.RawClient(server.client_port)
                    session.socket.sendall(sent)
                    try:
                        found = struct.unpack(">iqi", session.read_frame()[:16])[2]
                    except (EOFError, ConnectionError):
                        found = closed()
                    if isinstance(expected, tuple) and found != closed():
                        found = closed(found) if raw.is_closed(session.socket) else found
                    # A frame that looks like an event is a request of opcode -1 with number -1.
                    self.assertIn(found, (expected, closed(UNIMPLEMENTED)) if name == "an event" else (expected,))
                    session.close()
            with self.subTest(server=server.mode(), sent="requests behind the end of the session"):
                session = raw.RawClient(server.client_port)
                session.socket.sendall(raw.frame(i32(1, CLOSE_SESSION)) + raw.frame(read) * 50)
                self.assertEqual(struct.unpack(">iqi", session.read_frame()[:16])[::2], (1, 0))
                self.assertEqual(session.socket.recv(1), b"")
                session.close()
        self.nobody_noticed()


if __name__ == "__main__":
    unittest.main()
