"""`python -m tests.chaos`: all rows, or a soak. The environment is described in tests/chaos/options.py."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from notifier.local.console import say_nothing
from notifier.local.testing import LOCAL, remove_folder
from tests.chaos import report
from tests.chaos.judging.ledger import Ledger
from tests.chaos.load.campaigns import make_sides
from tests.chaos.options import Options
from tests.chaos.report import Result
from tests.chaos.row import Row
from tests.chaos.rows import all_rows, loads
from tests.chaos.runner import Load
from tests.chaos.soak import soak
from tests.chaos.stack.site import ChaosSite

REPORT = LOCAL / "chaos-report.json"


def main() -> int:
    options = Options.read(os.environ)
    rows = [row for row in all_rows() if options.chooses(row.name)]
    if not rows:
        print("no row has such a name; there are:", *sorted(row.name for row in all_rows()), sep="\n  ")
        return 1
    if not Path("/proc/self/statm").exists():
        print("chaos: freezing, limiting and counting processes needs Linux's /proc")
        return 1
    folder = LOCAL / f"test-{os.getpid()}-chaos"
    began = time.monotonic()
    form = "short" if options.short else "full"
    print(f"chaos: {len(rows)} rows, {form} form, {options.recipients} recipients, SEED={options.seed}", flush=True)
    results = run(options, rows, folder, began)
    failed = [result for result in results if not result.ok]
    report.write(REPORT, results)
    for stack in (folder, folder.with_name(f"{folder.name}-again")):
        if stack.exists():
            remove_folder(stack, keep_logs=bool(failed))
    print(f"chaos: {len(results) - len(failed)} rows passed, {len(failed)} failed in {time.monotonic() - began:.0f} s;"
          f" {REPORT}", flush=True)  # fmt: skip
    if failed:
        print(
            f"chaos: the logs are in {folder / 'logs'}; again: SEED={options.seed} ROWS='{failed[0].name}'", flush=True
        )
    return 1 if failed else 0


def run(options: Options, rows: list[Row], folder: Path, began: float) -> list[Result]:
    """All loads, one after the other. A load that the harness could not carry out proves nothing: it and those behind
    it get a new stack, once. A load whose counts are wrong never runs again."""
    results: list[Result] = []
    waiting = loads(rows, short=options.short)
    for stack in (folder, folder.with_name(f"{folder.name}-again")):
        with ChaosSite(stack, say_nothing, options.shard_size) as site:
            site.up()
            Ledger(site.settings["DATABASE_URL"]).install_watch()
            sides = make_sides(site, options.recipients)
            print(f"chaos: the stack is up after {time.monotonic() - began:.0f} s", flush=True)
            if options.minutes:
                return soak(site, sides, options, rows, show)
            while waiting:
                of_load = Load(site, sides, options, waiting[0]).run()
                for result in of_load:
                    show(result)
                if stack == folder and report.prove_nothing(of_load):
                    print("chaos: this load was not carried out; it runs again on a new stack", flush=True)
                    break
                results += of_load
                del waiting[0]
        if not waiting:
            break
    return results


def show(result: Result) -> None:
    print(result.line, flush=True)
    for problem in result.problems:
        print(f"      {problem}", flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    sys.exit(main())
