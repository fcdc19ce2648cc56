"""A pytest plugin that writes how each test ended, one line each: `outcome<TAB>name<TAB>reason`.

The outcome is `passed`, `failed` or `skipped`; the file is named by the environment variable COMPAT_REPORT. The first
line is `collected<TAB>number`, so that a run that stopped early is known as one.
"""

import os

import pytest


class Report:
    def __init__(self, file):
        self.file = file
        self.outcomes = {}

    def pytest_collection_finish(self, session):
        self.write("collected", str(len(session.items)), "")

    def pytest_runtest_logreport(self, report):
        # Set-up, call and tear-down report one by one: the test has passed when all three have.
        before = self.outcomes.get(report.nodeid, ("passed", ""))
        if report.failed:
            self.outcomes[report.nodeid] = ("failed", last_line(report))
        elif report.skipped and before[0] == "passed":
            self.outcomes[report.nodeid] = ("skipped", reason_of(report))
        else:
            self.outcomes[report.nodeid] = before

    def pytest_runtest_logfinish(self, nodeid):
        outcome, reason = self.outcomes[nodeid]
        self.write(outcome, nodeid.split("tests/", 1)[-1], reason)

    def write(self, outcome, name, reason):
        self.file.write(f"{outcome}\t{name}\t{' '.join(reason.split())[:300]}\n")
        self.file.flush()


def last_line(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message if crash is not None else str(report.longrepr).strip().splitlines()[-1]


def reason_of(report):
    is_place_and_text = isinstance(report.longrepr, tuple)
    return report.longrepr[2].removeprefix("Skipped: ") if is_place_and_text else str(report.longrepr)


@pytest.hookimpl
def pytest_configure(config):
    file = open(os.environ["COMPAT_REPORT"], "w", encoding="utf-8")
    config.add_cleanup(file.close)
    config.pluginmanager.register(Report(file))
