"""All rows, one file for each family. A family's file has a tuple ROWS."""

from __future__ import annotations

import importlib
import pkgutil

from tests.chaos.row import Row

#: in this order; a family that is not named comes last
ORDER = ("processes", "valkey", "postgres", "network", "providers", "repeats", "web", "clocks", "failpoints")


def all_rows() -> list[Row]:
    """Every row of every family, in the order of the families."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    names.sort(key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    families = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [row for family in families for row in family.ROWS]


def loads(rows: list[Row], *, short: bool) -> list[list[Row]]:
    """The rows of each load: in the short form rows of one group share one, in the full form each has its own, so many
    times as it says."""
    if not short:
        return [[row] for row in rows for _ in range(row.times)]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group or row.name, []).append(row)
    return list(groups.values())
