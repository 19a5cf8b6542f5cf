"""Shards' payloads and quiet windows: pure."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from campaigns.payload import NOBODY, Payload, pack, quiet_minutes_left, unpack
from campaigns.prepare import quiet_window
from notifier.delivery.plan import Rule
from notifier.vocabulary import Address, Choices, Kind, Person

IDS = [uuid.uuid4() for _ in range(3)]


def a_payload() -> Payload:
    return Payload(
        platform="fcm",
        ids="".join(i.hex for i in IDS),
        recipients="".join(i.hex for i in reversed(IDS)),
        devices=IDS[0].hex + NOBODY + IDS[2].hex,
        addresses=["a", "b", "c"],
        forms=[{"title": "für alle", "body": None, "data.k": "v"}, {"title": None, "body": "x"}],
        form=[0, 1, 0],
        values={"body": ["eins", "", "drei"], "title": ["", "zwei", ""]},
        quiet={2: (1320, 420)},
    )


def test_what_was_packed_is_unpacked() -> None:
    assert unpack(pack(a_payload())) == a_payload()


def test_columns_are_read_by_message() -> None:
    payload = unpack(pack(a_payload()))
    assert len(payload) == 3
    assert [payload.id(i) for i in range(3)] == IDS
    assert [payload.recipient(i) for i in range(3)] == IDS[::-1]
    assert [payload.address(i) for i in range(3)] == [
        Address("a", "fcm", IDS[0]), Address("b", "fcm", None), Address("c", "fcm", IDS[2])
    ]  # fmt: skip
    assert [payload.content(i) for i in range(3)] == [
        {"title": "für alle", "body": "eins", "data": {"k": "v"}},
        {"title": "zwei", "body": "x"},
        {"title": "für alle", "body": "drei", "data": {"k": "v"}},
    ]


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
