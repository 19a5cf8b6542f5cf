"""Shards' payloads: pure."""

from __future__ import annotations

import uuid

from campaigns.shard.payload import NO_DEVICE, Payload, pack, unpack
from notifier.delivery.planning.closed_hours import ClosedHours
from notifier.vocabulary.people import Address

IDS = [uuid.uuid4() for _ in range(3)]


def a_payload() -> Payload:
    return Payload(
        platform="fcm",
        ids="".join(i.hex for i in IDS),
        recipients="".join(i.hex for i in reversed(IDS)),
        devices=IDS[0].hex + NO_DEVICE + IDS[2].hex,
        addresses=["a", "b", "c"],
        contents=[{"title": "für alle", "body": None, "data.k": "v"}, {"title": None, "body": "x"}],
        content_index=[0, 1, 0],
        personal_texts={"body": ["eins", "", "drei"], "title": ["", "zwei", ""]},
        closed_hours=[ClosedHours("Europe/Vienna", 1320, 420, ((480, 1320),) * 7, "FR", 1_800_000_000.5)],
        closed_index={2: 0},
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
