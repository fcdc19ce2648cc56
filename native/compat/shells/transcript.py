"""Transcripts: what a shell answered to each command of a session, without what differs between any two runs."""

import itertools
import re

EPOCH = re.compile(r"Thu Jan +1 00:00:00 (UTC )?1970")
DATE = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d (UTC )?\d{4}")
ADDRESS = re.compile(r"(localhost/)?127\.0\.0\.1:\d+(:\d+)?")
ZXID = re.compile(r"\b([cmp][Zz]xid ?= ?)(0x)?([0-9a-f]+)\b")
SESSION = re.compile(r"\b((?:ephemeralOwner|session [Ii]d) ?[=:] ?)(?:0x)?(?!0\b)([0-9a-f]{6,})\b")
C_LOG = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+:\d+\(0x[0-9a-f]+\):")
C_DURATION = re.compile(r"^time = \d+ msec$")
# What the shells say of their own doing; nothing a server could change.
NOISE = re.compile(r"^(SLF4J: .*|JLine support is disabled|WatchedEvent state:Closed .*|.*:ZOO_(DEBUG|INFO)@.*)$")
# The command that shows when another is done finds the connection gone for good: the Java shell says so itself if it
# knows that already, else the client says it. Which of the two is a race between them.
GONE = re.compile(r"^Sync has failed\. rc=-115$")
# Printed by the Java shell around each event.
EVENT_HEAD = re.compile(r"^WATCHER::$")
# Names of children and of identities: the protocol promises no order of them.
UNORDERED = (re.compile(r"^\t[^=]+$"), re.compile(r"^(ip|digest|super|x509|sasl): ?\S*$"))
EVENT = re.compile(r"^(WatchedEvent .*|Watcher .*_EVENT .*)$")


class Normaliser:
    """Makes the answers of two runs comparable.

    Zxids are told relative to the first one seen: two runs of one session write the same things, so the distances
    are the same, also over failed writes.
    """

    def __init__(self):
        self.first_zxid = None

    def zxid(self, found):
        number = int(found[3], 16)
        if number == 0:
            return found[0]
        if self.first_zxid is None:
            self.first_zxid = number
        return f"{found[1]}first{number - self.first_zxid:+d}"

    def lines(self, lines):
        """The comparable form of one command's answer; events are told last, because they come from another thread."""
        told, events = [], []
        for line in lines:
            line = line.rstrip()
            if not line or NOISE.match(line) or EVENT_HEAD.match(line):
                continue
            line = C_LOG.sub("", line)
            line = EPOCH.sub("<epoch>", line)
            line = DATE.sub("<date>", line)
            line = ADDRESS.sub("<address>", line)
            line = ZXID.sub(self.zxid, line)
            line = SESSION.sub(r"\1<session>", line)
            line = C_DURATION.sub("time = <n> msec", line)
            line = GONE.sub("Not connected", line)
            (events if EVENT.match(line) else told).append(line)
        for pattern in UNORDERED:
            told = sorted_runs(told, pattern)
        return told + sorted(events)


def sorted_runs(lines, pattern):
    """The lines, in which neighbours that match the pattern stand in alphabetical order."""
    groups = itertools.groupby(lines, key=lambda line: bool(pattern.match(line)))
    return [line for matches, group in groups for line in (sorted(group) if matches else group)]


def commands_of(text):
    """The commands of a session file: a line each; lines that begin with # are remarks."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def written(blocks):
    """A transcript as text: `> command`, then what it answered."""
    return "".join("".join([f"> {command}\n", *(f"{line}\n" for line in lines)]) for command, lines in blocks)


def read(text):
    """The blocks of a transcript's text."""
    blocks = []
    for line in text.splitlines():
        if line.startswith("> "):
            blocks.append((line[2:], []))
        else:
            blocks[-1][1].append(line)
    return blocks
