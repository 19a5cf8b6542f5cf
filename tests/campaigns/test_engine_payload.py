"""Shards' payloads and quiet windows: pure."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from campaigns.payload import PayloadRow, pack, quiet_minutes_left, unpack
from campaigns.prepare import quiet_window
from notifier.delivery.plan import Rule
from notifier.vocabulary import Address, Choices, Kind, Person


def a_row(content: dict[str, str], quiet: tuple[int, int] | None = None) -> PayloadRow:
    return PayloadRow(uuid.uuid4(), uuid.uuid4(), Address("token", "fcm", uuid.uuid4()), content, quiet)


def test_what_was_packed_is_unpacked() -> None:
    common = {"title": "Grüße", "body": "für alle"}
    rows = [a_row(common), a_row({"title": "du", "body": "allein"}, (1320, 420)), a_row(common)]
    assert unpack(pack(rows)) == rows


def test_a_common_content_is_stored_once() -> None:
    common = {"title": "x" * 2_000, "body": "y"}
    unpacked = unpack(pack([a_row(common) for _ in range(50)]))
    assert len({id(row.content) for row in unpacked}) == 1


@pytest.mark.parametrize(
    ("quiet", "minute", "expected"),
    [
        (None, 0, None),
        ((60, 120), 59, None),
        ((60, 120), 60, 60),
        ((60, 120), 119, 1),
        ((60, 120), 120, None),
        ((1320, 420), 1319, None),
        ((1320, 420), 1320, 540),
        ((1320, 420), 1439, 421),
        ((1320, 420), 0, 420),
        ((1320, 420), 419, 1),
    ],
)
def test_minutes_left_of_a_quiet_window(quiet: tuple[int, int] | None, minute: int, expected: int | None) -> None:
    assert quiet_minutes_left(quiet, minute) == expected


@pytest.mark.parametrize(
    ("zone", "month", "expected"),
    [
        ("UTC", 1, (1320, 420)),
        ("Europe/Berlin", 1, (1260, 360)),
        ("Europe/Berlin", 7, (1200, 300)),
        ("Asia/Kathmandu", 1, (975, 75)),
        ("America/New_York", 1, (180, 720)),
    ],
)
def test_the_window_is_kept_in_utc_minutes(zone: str, month: int, expected: tuple[int, int]) -> None:
    person = Person(
        uuid.uuid4(), "a", "", "", "", "", zone, {}, "active", choices=Choices(quiet_from=1320, quiet_until=420)
    )
    day = datetime(2026, month, 15, 12, tzinfo=UTC)
    assert quiet_window(person, Rule("promotions", Kind.MARKETING), day, "UTC") == expected
    assert quiet_window(person, Rule("orders"), day, "UTC") is None
