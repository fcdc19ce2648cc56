"""The table of expected differences: where Zebu's answer to a shell's command may differ from Apache's, and why.

An entry is a head line `shell: command`, its reason indented by two spaces, and the differing lines as a diff tells
them (`- ` Apache's, `+ ` Zebu's). Any other difference of that command is an unexpected one. Lines that begin with #
are remarks.
"""


class Allowed:
    """The entries for one shell, each to be used by every run of its command."""

    def __init__(self, entries):
        self.entries = entries
        self.used = set()

    def take(self, command):
        """The lines by which this command's answer should differ; none when no entry names it."""
        self.used.add(command)
        return self.entries.get(command, [])

    def unused(self):
        return [command for command in self.entries if command not in self.used]


def load(file, shell):
    """The entries of one shell; none at all for `None`.

    A malformed line is an AssertionError that names it.
    """
    entries, reasons, key = {}, {}, None
    for number, line in enumerate(file.read_text().splitlines(), 1):
        where = f"{file.name}, line {number}: {line!r}"
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(("- ", "+ ")):
            assert key is not None, f"{where}: there is no entry above it"
            entries[key].append(line)
        elif line.startswith("  "):
            assert key is not None, f"{where}: there is no entry above it"
            reasons[key] = line.strip()
        else:
            assert ": " in line, f"{where}: neither `shell: command` nor a reason nor a line of a diff"
            key = tuple(line.split(": ", 1))
            assert key not in entries, f"{where}: a second entry for the same command"
            entries[key] = []
    for key, lines in entries.items():
        assert lines and key in reasons, f"{file.name}: the entry {': '.join(key)!r} needs a reason and its lines"
    return Allowed({command: lines for (name, command), lines in entries.items() if name == shell})
