"""Bytes on the wire without a client library, for what kazoo would never send."""

import socket
import struct

PATIENCE = 20.0

CREATE, GET_DATA, PING, MULTI_READ, CLOSE = 1, 4, 11, 22, -11
REMOVE_WATCHES, SET_WATCHES2, ADD_WATCH = 18, 105, 106
CREATE_CONTAINER, CREATE_TTL = 19, 21
EPHEMERAL = 1
PERSISTENT, RECURSIVE = 0, 1
CREATED, DELETED, CHANGED, CHILD = 1, 2, 3, 4
EVENT_XID, PING_XID = -1, -2
CONTAINER, TTL = 4, 5


def string(text):
    data = text.encode()
    return struct.pack(">i", len(data)) + data


def frame(body):
    return struct.pack(">i", len(body)) + body


def connect_request(timeout_ms=4000, session=0, password=bytes(16), last_zxid=0):
    return struct.pack(">iqiqi", 0, last_zxid, timeout_ms, session, len(password)) + password + b"\0"


def create_record(path, flags):
    """A create of an empty znode that everybody may do everything with."""
    world = struct.pack(">ii", 1, 31) + string("world") + string("anyone")
    return string(path) + struct.pack(">i", 0) + world + struct.pack(">i", flags)


def strings(*texts):
    return struct.pack(">i", len(texts)) + b"".join(map(string, texts))


def event(body):
    """Kind and path of a watch event."""
    kind, state, length = struct.unpack(">iii", body[:12])
    assert state == 3, f"an event of state {state}"
    return kind, body[12 : 12 + length].decode()


def open_port(port, receive_buffer=None):
    """A connection; with `receive_buffer` the system takes only about so many bytes that are not read yet."""
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(PATIENCE)
    try:
        connection.connect(("127.0.0.1", port))
    except OSError:
        connection.close()
        raise
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class RawClient:
    """A session kept by nobody: it sends what it is told and never pings."""

    def __init__(self, port, timeout_ms=4000, receive_buffer=None):
        self.socket = open_port(port, receive_buffer)
        try:
            self.socket.sendall(frame(connect_request(timeout_ms)))
            answer = self.read_frame()
        except (EOFError, OSError):
            self.socket.close()
            raise
        _, self.timeout_ms, self.session = struct.unpack(">iiq", answer[:16])

    def read_frame(self):
        (length,) = struct.unpack(">i", self.read_exactly(4))
        return self.read_exactly(length)

    def read_exactly(self, count):
        data = bytearray()
        while len(data) < count:
            chunk = self.socket.recv(count - len(data))
            if not chunk:
                raise EOFError(f"the server closed the connection after {len(data)} of {count} bytes")
            data += chunk
        return bytes(data)

    def request(self, xid, opcode, body=b""):
        """Sends a request and returns the error code of its answer."""
        self.socket.sendall(frame(struct.pack(">ii", xid, opcode) + body))
        answered, _, error = struct.unpack(">iqi", self.read_frame()[:16])
        assert answered == xid, f"an answer to {answered} instead of {xid}"
        return error

    def send(self, xid, opcode, body=b""):
        self.socket.sendall(frame(struct.pack(">ii", xid, opcode) + body))

    def read_answer(self):
        """The next frame: its xid, its error code and what stands behind."""
        data = self.read_frame()
        xid, _, error = struct.unpack(">iqi", data[:16])
        return xid, error, data[16:]

    def read_events(self, count):
        """The next frames, which have to be events: kind and path of each."""
        events = []
        for _ in range(count):
            xid, _, body = self.read_answer()
            assert xid == EVENT_XID, f"an answer to {xid} after the events {events}"
            events.append(event(body))
        return events

    def create(self, xid, path, flags=0):
        return self.request(xid, CREATE, create_record(path, flags))

    def create_container(self, xid, path):
        return self.request(xid, CREATE_CONTAINER, create_record(path, CONTAINER))

    def create_ttl(self, xid, path, ttl_ms):
        return self.request(xid, CREATE_TTL, create_record(path, TTL) + struct.pack(">q", ttl_ms))

    def close(self):
        self.socket.close()


def is_closed(connection):
    """Whether the server closes the connection; what it sends before is thrown away."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True
