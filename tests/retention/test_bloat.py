"""After a week of load, tables and indexes are less than 30 % empty: a short form of tests/retention/bloat.py."""

from __future__ import annotations

import pytest

from tests.retention.bloat import measure_a_week

#: of tables, and of indexes: a page of an index whose entries were deleted here and there stays as it is
MOST_OF_TABLES, MOST_OF_INDEXES = 0.30, 0.45
#: bytes; of less, a page is a large share
LEAST = 150_000


@pytest.mark.django_db(transaction=True)
def test_a_week_of_load_leaves_little_empty_space() -> None:
    measured = measure_a_week(per_day=2_500)
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
