"""What servers say to each other, byte by byte, for peers that a test plays itself."""

import socket
import struct
import threading

from ensemble import wait_for
from raw import PATIENCE, open_port

REQUEST, PROPOSAL, ACK, COMMIT, PING, REVALIDATE, SYNC, INFORM, COMMITANDACTIVATE = range(1, 10)
NEWLEADER, FOLLOWERINFO, UPTODATE, DIFF, TRUNC, SNAP, OBSERVERINFO, LEADERINFO, ACKEPOCH = range(10, 19)
LOOKING, FOLLOWING, LEADING, OBSERVING = range(4)
PROTOCOL = 0x10000
HIGHEST_EPOCH = 0x7FFFFFFF


def start_of(epoch):
    """The zxid with which an epoch begins."""
    return epoch << 32


def packet(kind, zxid=-1, data=None, length=None, auth=-1):
    """A packet of the quorum port; `length` lies about the data's."""
    if length is None:
        length = -1 if data is None else len(data)
    return struct.pack(">iqi", kind, zxid, length) + (data or b"") + struct.pack(">i", auth)


def info(server, config_version=0, protocol=PROTOCOL):
    return struct.pack(">qiq", server, protocol, config_version)


def follower_info(server, accepted=0, **more):
    return packet(FOLLOWERINFO, start_of(accepted), info(server, **more))


def observer_info(server, accepted=0):
    return packet(OBSERVERINFO, start_of(accepted), info(server))


def ack_epoch(last, current=-1):
    return packet(ACKEPOCH, last, struct.pack(">i", current))


def leader_info(epoch):
    return packet(LEADERINFO, start_of(epoch), struct.pack(">i", PROTOCOL))


def request(session, cxid, opcode, body=b"", **more):
    return packet(REQUEST, data=struct.pack(">qii", session, cxid, opcode) + body, **more)


def set_data_txn(zxid, path="/zookeeper", data=b"forged"):
    """A transaction as it stands in PROPOSAL."""
    name = path.encode()
    header = struct.pack(">qiqqi", 0, 0, zxid, 0, 5)
    return header + struct.pack(">i", len(name)) + name + struct.pack(">i", len(data)) + data + struct.pack(">i", 1)


def hello(server, address=b"127.0.0.1:1", length=None):
    """The first bytes of an election connection."""
    return struct.pack(">qqi", -65536, server, len(address) if length is None else length) + address


def notification(state, leader, zxid, round_, epoch, config=b"version=0", length=None, version=2):
    return frame(struct.pack(">iqqqqii", state, leader, zxid, round_, epoch, version,
                             len(config) if length is None else length) + config)


def frame(payload):
    return struct.pack(">i", len(payload)) + payload


class Connection:
    """One end of a connection between servers."""

    def __init__(self, connected):
        self.socket = connected
        connected.settimeout(PATIENCE)

    @classmethod
    def to(cls, port):
        return cls(open_port(port))

    def send(self, *messages):
        """What the other end does not take any more is no matter: it has dropped us, which is looked for elsewhere."""
        try:
            self.socket.sendall(b"".join(messages))
        except OSError:
            pass
        return self

    def _read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError("the other end has closed the connection")
            data += part
        return data

    def packet(self):
        """The next packet: its type, zxid and data."""
        kind, zxid, length = struct.unpack(">iqi", self._read(16))
        data = self._read(max(length, 0))
        assert self._read(4) == b"\xff\xff\xff\xff", "no authinfo comes in what is read here"
        return kind, zxid, data

    def until(self, wanted):
        """The zxid and data of the next packet of this type; what comes before it is passed over."""
        while True:
            kind, zxid, data = self.packet()
            if kind == wanted:
                return zxid, data

    def notification(self):
        """The next notification: state, leader, zxid, round, epoch."""
        (length,) = struct.unpack(">i", self._read(4))
        return struct.unpack(">iqqqq", self._read(length)[:36])

    def ended(self):
        """Whether the other end closes the connection, whatever it may still send before."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def close(self):
        self.socket.close()


def opened(port):
    try:
        return open_port(port)
    except OSError:
        return None


class Candidate:
    """Server 3 as an election sees it, played on behalf of a test: it agrees with whoever looks for a leader that this
    one be it. Its quorum port is the test's."""

    def __init__(self, server, voter):
        self.id = server.id
        self.listener = socket.create_server(("127.0.0.1", server.quorum_port))
        self.listener.settimeout(PATIENCE)
        self.election = Connection(wait_for("the voter's election port is open", lambda: opened(voter.election_port)))
        self.election.send(hello(server.id))
        self._thread = threading.Thread(target=self._vote, daemon=True)
        self._thread.start()

    def _vote(self):
        self.election.socket.settimeout(None)
        try:
            while True:
                state, _, zxid, round_, epoch = self.election.notification()
                if state == LOOKING:
                    self.election.send(notification(LOOKING, self.id, zxid, round_, epoch))
        except (OSError, EOFError):
            pass

    def followed(self):
        """The connection of the follower that it has won, and the epoch that this one has accepted."""
        connection = Connection(self.listener.accept()[0])
        kind, zxid, _ = connection.packet()
        assert kind == FOLLOWERINFO, kind
        return connection, zxid >> 32

    def close(self):
        self.election.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self.election.close()
        self.listener.close()
