"""A soak: one stack for an hour, loads without end, and every fifteen seconds a fault of the table."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from tests.chaos.judging.ledger import Ledger
from tests.chaos.load.campaigns import Side
from tests.chaos.options import Options
from tests.chaos.report import Result
from tests.chaos.row import Row, When
from tests.chaos.runner import Load
from tests.chaos.stack import pids
from tests.chaos.stack.site import ChaosSite

PAUSE = 15.0
#: faults of one load: the invariants are judged after each load
FAULTS = 8


def soak(
    site: ChaosSite, sides: Sequence[Side], options: Options, rows: Sequence[Row], show: Callable[[Result], None]
) -> list[Result]:
    """Results of all loads. Prints the memory and the connections after each."""
    chosen = [row for row in rows if row.in_soak and row.when is When.SENDING]
    dice, until = random.Random(options.seed), time.monotonic() + options.minutes * 60
    results, samples = [], [_sample(site)]
    while time.monotonic() < until:
        load = Load(site, sides, options, [dice.choice(chosen) for _ in range(FAULTS)], pause=PAUSE)
        for result in load.run():
            show(result)
            results.append(result)
        samples.append(_sample(site))
        print(f"chaos: {_describe(samples)}", flush=True)
    return results


def _sample(site: ChaosSite) -> tuple[float, float, int, int]:
    """When, resident MB of all programs, connections to PostgreSQL, connections to the sandbox."""
    resident = sum(pids.resident_mb(pid) for name in site.programs for pid in site.pids(name))
    connections = Ledger(site.settings["DATABASE_URL"]).connections()
    return time.monotonic(), resident, connections, site.proxy.connections


def _describe(samples: Sequence[tuple[float, float, int, int]]) -> str:
    first, last = samples[min(1, len(samples) - 1)], samples[-1]
    minutes = (last[0] - first[0]) / 60
    slope = f"{(last[1] - first[1]) / minutes:+.1f} MB/min" if minutes > 0 else "-"
    return f"memory {last[1]:.0f} MB ({slope}), {last[2]} connections to PostgreSQL, {last[3]} to providers"
