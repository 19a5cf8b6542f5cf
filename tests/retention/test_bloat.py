"""After a week of load, tables and indexes are less than 30 % empty: a short form of tests/retention/bloat.py."""

from __future__ import annotations

import pytest

from tests.retention.bloat import measure_a_week

MOST = 0.30


@pytest.mark.django_db(transaction=True)
def test_a_week_of_load_leaves_little_empty_space() -> None:
    measured = measure_a_week(per_day=4_000)
    empty = {
        f"{bloat.table} {part}": round(share, 2)
        for bloat in measured
        for part, share in (("heap", bloat.heap_share), ("indexes", bloat.index_share))
        if share >= MOST
    }
    assert not empty
