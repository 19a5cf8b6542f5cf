"""`python -m bench`; bench/README.md lists the environment variables that it reads."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from bench import plot, report
from bench.campaign import StepFailed
from bench.options import BadOption, parse_options
from bench.run import Bench, NoSink, run_folder
from bench.sinks.base import SinkFailed
from bench.targets import targets
from notifier.local.console import say
from notifier.local.processes.child import ProcessFailed
from notifier.local.processes.watchdog import FolderInUse
from notifier.local.servers.binaries import ServerNotFound
from notifier.local.testing import LOCAL

INTERRUPTED = 130


def main() -> int:
    options = parse_options(os.environ)
    with run_folder(options.keep, LOCAL) as root:
        bench = Bench(options, root, say)
        record = bench.run()
    results = targets(record.figures)
    options.results.mkdir(parents=True, exist_ok=True)
    if not plot.draw(record.figures, options.results / report.PICTURE):
        say("bench", "no picture: matplotlib is not installed")
    report.write(record.figures, results, options.results)
    if bench.profile is not None:
        (options.results / report.PROFILE).write_text(bench.profile.page())
    for target in results:
        verdict = {True: "met", False: "NOT MET", None: ""}[target.met]
        say("target", f"{target.what}: {target.measured} (wanted {target.wanted}) {verdict}")
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
    except (BadOption, NoSink, SinkFailed, StepFailed, ProcessFailed, FolderInUse, ServerNotFound) as problem:
        say("bench", f"stopped: {problem}")
        sys.exit(1)
