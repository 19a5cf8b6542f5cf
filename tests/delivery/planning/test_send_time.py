"""Times of a wall clock, where clocks change."""

from __future__ import annotations

from datetime import datetime

import pytest

from notifier.values.zones import from_wall_clock


@pytest.mark.parametrize(
    ("local", "zone", "utc"),
    [
        ("2026-07-01T09:00", "Europe/Berlin", "2026-07-01T07:00+00:00"),
        ("2026-12-01T09:00", "Europe/Berlin", "2026-12-01T08:00+00:00"),
        # the clock goes from 02:00 to 03:00: half past two becomes half past three
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30+00:00"),
        # half past two comes twice: the first counts
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30+00:00"),
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30+00:00"),
        ("2026-03-08T02:30", "America/New_York", "2026-03-08T07:30+00:00"),
        ("2027-01-01T00:00", "Pacific/Kiritimati", "2026-12-31T10:00+00:00"),
        ("2027-01-01T00:00", "gone/zone", "2027-01-01T00:00+00:00"),
    ],
)
def test_a_wall_clock_time_is_one_moment(local: str, zone: str, utc: str) -> None:
    assert from_wall_clock(datetime.fromisoformat(local), zone) == datetime.fromisoformat(utc)
