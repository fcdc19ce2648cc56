"""Runs a client's script through a server of each role, and with all servers to choose from.

    run.py SYSTEM COMMAND...    SYSTEM: apache or zebu; the hosts are added to the command as its last argument

A script prints `ok STEP` for each step that went well and ends with an error at the first that did not. Ends with
`N passed, N failed`.
"""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from systems import ROLES, server_with, start  # noqa: E402

PATIENCE = 120


def run(command, hosts, title):
    """One run of the script; (passed, failed)."""
    finished = subprocess.run([*command, hosts], capture_output=True, text=True, timeout=PATIENCE)
    passed = sum(line.startswith("ok ") for line in finished.stdout.splitlines())
    if finished.returncode == 0 and passed > 0:
        return passed, 0
    print(f"{title}: exit code {finished.returncode}\n{finished.stdout}{finished.stderr}")
    return passed, 1


def main():
    system, *command = sys.argv[1:]
    ensemble = start(system)
    counts = []
    try:
        for role in ROLES:
            counts.append(run(command, server_with(ensemble, role).address, f"through {system}'s {role}"))
        everyone = ",".join(server.address for server in ensemble.servers.values())
        counts.append(run(command, everyone, f"through any server of {system}"))
    finally:
        if not counts or any(failed for _, failed in counts):
            print(ensemble.tails())
        ensemble.close()
    print(f"{sum(passed for passed, _ in counts)} passed, {sum(failed for _, failed in counts)} failed")


if __name__ == "__main__":
    main()
