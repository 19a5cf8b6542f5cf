"""A counted report as JSON in its row, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from campaigns.report.funnel import Account, Cell, Interval
from campaigns.report.results import AccountTotals, Results, Worker
from campaigns.report.times import Point, Times


@dataclass(frozen=True)
class Counted:
    """All that was counted of a campaign at one moment. `width`: seconds of an interval."""

    results: Results
    cells: list[Cell]
    intervals: list[Interval]
    width: int
    accounts: Mapping[str, Account]


def pack(counted: Counted) -> dict[str, Any]:
    """JSON. Waves are left out: they are times to come, which are read anew."""
    return {
        "results": {**asdict(counted.results), "waves": []},
        "cells": [list(cell) for cell in counted.cells],
        "intervals": [list(interval) for interval in counted.intervals],
        "width": counted.width,
        "accounts": {pk: asdict(account) for pk, account in counted.accounts.items()},
    }


def unpack(content: Mapping[str, Any]) -> Counted:
    return Counted(
        _results(content["results"]),
        [Cell(*cell) for cell in content["cells"]],
        [Interval(*interval) for interval in content["intervals"]],
        content["width"],
        {pk: Account(**account) for pk, account in content["accounts"].items()},
    )


def _results(raw: Mapping[str, Any]) -> Results:
    known = {field.name for field in fields(Results)}
    values = {name: value for name, value in raw.items() if name in known}
    values |= {
        "times": Times(**raw["times"]),
        "channel_times": {name: Times(**times) for name, times in raw["channel_times"].items()},
        "throughput": [Point(**point) for point in raw["throughput"]],
        "workers": [Worker(**worker) for worker in raw["workers"]],
        "accounts": [AccountTotals(**account) for account in raw["accounts"]],
    }
    return Results(**values)
