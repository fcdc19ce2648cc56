"""Runs a shell's session on a system, through a server of each role, and compares it with Apache's transcript.

    compare.py SHELL SYSTEM [ROLE...]    SHELL: zkcli or cli_mt; SYSTEM: apache or zebu

The session is SHELL.session, the transcript SHELL.apache.txt; with UPDATE_GOLDEN=1 a run on Apache writes it anew.
Where Zebu may differ stands in differences.txt with the reason. Ends with `N passed, N failed`, one for each command
of each run.
"""

import argparse
import contextlib
import difflib
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import differences  # noqa: E402
import transcript  # noqa: E402
from shells import SHELLS, ShellEnded  # noqa: E402
from systems import ROLES, SYSTEMS, server_with, start  # noqa: E402


def run_session(shell_class, ensemble, server):
    """What the shell answers to each command of its session at this server, comparable."""
    names = {"server": server.address, "servers": ",".join(s.address for s in ensemble.servers.values())}
    session = (HERE / f"{shell_class.name}.session").read_text()
    normaliser = transcript.Normaliser()
    shell = shell_class(server.address)
    blocks = []
    with contextlib.ExitStack() as stack:
        stack.callback(shell.kill)
        for command in transcript.commands_of(session):
            try:
                answer = shell.run(command.format(**names))
            except ShellEnded as ended:
                return [*blocks, (command, normaliser.lines(ended.args[0]))]
            blocks.append((command, normaliser.lines(answer)))
        blocks.append(("quit", normaliser.lines(shell.quit())))
    return blocks


def compare(wanted, found, allowed, title):
    """Compares two transcripts block by block and prints each difference that is not allowed; (passed, failed)."""
    passed = failed = 0
    for number, (command, lines) in enumerate(found):
        expected = wanted[number][1] if number < len(wanted) and wanted[number][0] == command else None
        if expected is None:
            print(f"{title}: the transcript has no answer to {command!r} at this place; run with UPDATE_GOLDEN=1")
            return passed, failed + 1
        diff = [line for line in difflib.ndiff(expected, lines) if line[0] in "+-"]
        if diff == allowed.take(command):
            passed += 1
        else:
            failed += 1
            print("\n".join([f"{title}: {command}", *(f"    {line}" for line in diff or ["(no longer differs)"])]))
    missing = max(len(wanted) - len(found), 0)
    if missing:
        print(f"{title}: the shell ended, {missing} commands were not run")
    return passed, failed + missing


def run(shell_name, system, role):
    """One session through the server of this role in a new ensemble; (passed, failed)."""
    shell_class = SHELLS[shell_name]
    golden = HERE / f"{shell_name}.apache.txt"
    title = f"{shell_name} at {system}'s {role}"
    failed = 1
    ensemble = start(system)
    try:
        found = run_session(shell_class, ensemble, server_with(ensemble, role))
        if system == "apache" and os.environ.get("UPDATE_GOLDEN") == "1" and role == ROLES[0]:
            golden.write_text(transcript.written(found))
        allowed = differences.load(HERE / "differences.txt", shell_name if system == "zebu" else None)
        passed, failed = compare(transcript.read(golden.read_text()), found, allowed, title)
        for command in allowed.unused():
            print(f"{title}: differences.txt lists {command!r}, which the session lacks")
            failed += 1
        return passed, failed
    finally:
        if failed:
            print(f"{title}: the servers' logs are in {ensemble.folder}")
        ensemble.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shell", choices=sorted(SHELLS))
    parser.add_argument("system", choices=sorted(SYSTEMS))
    parser.add_argument("role", nargs="*", default=ROLES)
    args = parser.parse_args()
    counts = [run(args.shell, args.system, role) for role in args.role]
    print(f"{sum(passed for passed, _ in counts)} passed, {sum(failed for _, failed in counts)} failed")


if __name__ == "__main__":
    main()
