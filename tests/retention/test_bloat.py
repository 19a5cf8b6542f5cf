"""After a week of load, tables and indexes are hardly empty: a short form of tests/retention/bloat.py."""

from __future__ import annotations

import json
import subprocess
import sys

from notifier.local.processes.programs import PROJECT
from tests.retention.bloat import Bloat

#: of tables, and of indexes: a page of an index whose entries were deleted here and there stays as it is. Runs differ
#: by some points, and small tables by more: 5,000 a day measure up to 29 and 38 %, half as many 40 %
MOST_OF_TABLES, MOST_OF_INDEXES = 0.36, 0.48
#: bytes; of less, a page is a large share
LEAST = 150_000


def measure_a_week(per_day: int) -> list[Bloat]:
    """A process and a PostgreSQL of its own: a thread that another test left may hold a transaction open, and then no
    vacuum removes anything."""
    command = [sys.executable, "-m", "tests.retention.bloat", "--per-day", str(per_day), "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    return [Bloat(**values) for values in json.loads(done.stdout)]


def test_a_week_of_load_leaves_little_empty_space() -> None:
    measured = measure_a_week(per_day=5_000)
    empty = {
        f"{bloat.table} {part}": round(share, 2)
        for bloat in measured
        for part, size, share, most in (
            ("table", bloat.heap, bloat.heap_share, MOST_OF_TABLES),
            ("indexes", bloat.indexes, bloat.index_share, MOST_OF_INDEXES),
        )
        if size >= LEAST and share >= most
    }
    assert not empty
