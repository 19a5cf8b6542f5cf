"""`python -m bench`; bench/README.md tells what of the environment it reads."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from bench import plot, report
from bench.campaign import TooLate
from bench.options import BadOption, options
from bench.run import Bench, NoSink, folder
from bench.sinks.base import SinkFailed
from bench.targets import targets
from notifier.local.console import say
from notifier.local.processes.child import ProcessFailed
from notifier.local.processes.watchdog import FolderInUse
from notifier.local.servers.binaries import ServerNotFound
from notifier.local.testing import LOCAL

INTERRUPTED = 130


def main() -> int:
    asked = options(os.environ)
    with folder(asked.keep, LOCAL) as root:
        record = Bench(asked, root, say).run()
    judged = targets(record.found)
    asked.results.mkdir(parents=True, exist_ok=True)
    if not plot.draw(record.found, asked.results / report.PICTURE):
        say("bench", "no picture: matplotlib is not installed")
    report.write(record.found, judged, asked.results)
    for one in judged:
        verdict = {True: "met", False: "NOT MET", None: ""}[one.met]
        say("target", f"{one.what}: {one.measured} (wanted {one.wanted}) {verdict}")
    for problem in record.problems:
        say("FAILED", problem)
    return 1 if record.problems else 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (BadOption, NoSink, SinkFailed, TooLate, ProcessFailed, FolderInUse, ServerNotFound) as problem:
        say("bench", f"stopped: {problem}")
        sys.exit(1)
