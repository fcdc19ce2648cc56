"""The two shells, as programs that get one command after the other and whose answers are collected.

Neither says when a command is done. So `sync` follows each one, which the clients answer behind everything that the
server sent before, events too, in the one thread that tells both. It writes nothing and takes no zxid.
"""

import contextlib
import os
import queue
import re
import subprocess
import threading

PATIENCE = 30.0


class ShellEnded(Exception):
    """The shell is gone; the argument is what it said before."""


class Shell:
    """A running shell; `command_line` starts it."""

    # What is sent after each command, the last line of its answer, and the lines that this answer may have before.
    marker = ()
    marker_end = None
    marker_begin = None

    def __init__(self, command_line, environment=None):
        self.process = subprocess.Popen(
            command_line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C", **(environment or {})},
            text=True,
            errors="replace",
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.collect, daemon=True).start()

    def collect(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def send(self, *commands):
        self.process.stdin.write("".join(f"{command}\n" for command in commands))
        self.process.stdin.flush()

    def run(self, command):
        """The lines that answer a command, without the marker's."""
        with contextlib.suppress(BrokenPipeError):
            self.send(command, *self.marker)
        # The session has the marker's commands as well.
        ends = 1 + (command == self.marker[-1])
        answer = []
        while True:
            line = self.next_line(answer)
            if line is None:
                raise ShellEnded([*answer, f"exit code {self.process.wait(PATIENCE)}"])
            ends -= bool(self.marker_end.match(line))
            if ends == 0:
                return self.without_marker(answer)
            answer.append(line)

    def next_line(self, before):
        try:
            return self.lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise ShellEnded([*before, f"silent for {PATIENCE:.0f} s"]) from None

    def without_marker(self, answer):
        """Takes out the last line that belongs to the marker's answer."""
        places = [place for place, line in enumerate(answer) if self.marker_begin.match(line)]
        return [line for place, line in enumerate(answer) if place not in places[-1:]]

    def quit(self):
        """Ends the shell; its last lines, and its exit code as one more."""
        with contextlib.suppress(BrokenPipeError):
            self.send("quit")
        answer = []
        while (line := self.next_line(answer)) is not None:
            answer.append(line)
        return [*answer, f"exit code {self.process.wait(PATIENCE)}"]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()


class ZkCli(Shell):
    """Apache's Java shell."""

    name = "zkcli"
    # Where there is no connection only the second says a word of its own.
    marker = ("sync /", "printwatches")
    marker_begin = re.compile(r"Sync is OK$")
    marker_end = re.compile(r"printwatches is (on|off)$")

    def __init__(self, server):
        super().__init__([os.environ["ZKCLI"], "-server", server], {"JVMFLAGS": "-Xmx96m"})


class CliMt(Shell):
    """The shell of Apache's C client."""

    name = "cli_mt"
    marker = ("sync /end-of-answer",)
    marker_begin = re.compile(r"\[/end-of-answer\]: rc = 0$")
    marker_end = re.compile(r"\tname = /end-of-answer$")

    def __init__(self, server):
        # Its answers go to both streams; only unbuffered they stay in order.
        super().__init__(["stdbuf", "--output=0", os.environ["CLI_MT"], "-h", server])


SHELLS = {shell.name: shell for shell in (ZkCli, CliMt)}
