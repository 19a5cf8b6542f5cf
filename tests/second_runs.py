"""Tests that wait for other processes, sockets or a browser may run a second time when they fail; the run names each.

A test of a decision, of the ledger or of a promise never runs twice: its second success would hide a race of the
product (docs/decisions/054). `STRICT=1` runs nothing twice.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

#: folders whose tests talk to processes, browsers or servers that a busy machine slows down
WAITING = ("bench", "flows", "inbox", "local", "sandbox", "transport", "web")
#: what these hold must hold at the first try: once each, no opt-out missed, no other tenant's row. And a long benchmark
PROMISES = ("a_no_holds", "backends", "controls", "crashes", "go_once", "two_tenants", "two_tenants_admin", "short_run")
UNSTEADY = "failed at first"


def may_run_twice(item: pytest.Item) -> bool:
    if os.environ.get("STRICT") == "1" or item.path.stem.removeprefix("test_") in PROMISES:
        return False
    here = Path(__file__).parent
    in_folder = any(here / folder in item.path.parents for folder in WAITING)
    return in_folder or item.get_closest_marker("browser") is not None


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if not may_run_twice(item):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    failure = next((report for report in reports if report.failed), None)
    if failure is not None:
        item._initrequest()  # type: ignore[attr-defined]
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        again = next((report for report in reports if report.failed), None)
        if again is None:
            reports[0].user_properties.append((UNSTEADY, failure.longreprtext))
        else:
            again.sections.append((f"{UNSTEADY}, in its {failure.when}", failure.longreprtext))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the first failure of each test that passed at its second run: each of them is to be mended."""
    reports = [report for key in ("passed", "") for report in terminalreporter.stats.get(key, [])]
    for report in reports:
        for name, text in getattr(report, "user_properties", []):
            if name == UNSTEADY and report.when == "setup":
                terminalreporter.section(f"UNSTEADY: {report.nodeid} {name}, passed when it ran again", red=True)
                terminalreporter.line(text)
