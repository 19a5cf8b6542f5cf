"""What a socket sends next, whatever was announced in whatever order. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from inbox.live import Counters
from inbox.position import WAITING_AT_MOST, Position


def news(*seqs: int, last_seq: int | None = None, unread: int | None = None) -> dict[str, Any]:
    newest = last_seq or max(seqs)
    messages = [{"seq": seq} for seq in seqs]
    return {"last_seq": newest, "unread": newest if unread is None else unread, "messages": messages}


@pytest.mark.parametrize(
    ("announced", "taken", "behind"),
    [
        ([news(6)], [6], False),
        ([news(6, 7), news(8)], [6, 7, 8], False),
        ([news(7), news(6)], [6, 7], False),
        ([news(6), news(6)], [6], False),
        ([news(4), news(5)], [], False),
        ([news(7)], [], True),
        ([news(6), news(8)], [6], True),
        ([news(last_seq=9)], [], True),
        ([], [], False),
    ],
)
def test_only_the_next_ones_are_taken_and_a_gap_sends_to_the_table(
    announced: list[dict[str, Any]], taken: list[int], behind: bool
) -> None:
    position = Position(seq=5, counters=Counters(5, 5))
    for one in announced:
        position.hear(one)
    assert [m["seq"] for m in position.take()] == taken
    assert position.behind is behind


def test_what_the_table_brings_is_not_sent_again_when_it_is_announced() -> None:
    position = Position(seq=5, counters=Counters(5, 5))
    position.hear(news(8))
    assert position.take() == []
    position.take_page([{"seq": 6}, {"seq": 7}, {"seq": 8}], whole=True, target=8)
    position.hear(news(7))
    assert (position.take(), position.behind) == ([], False)


def test_what_was_erased_is_not_waited_for() -> None:
    position = Position(seq=5, counters=Counters(9, 4))
    position.take_page([{"seq": 7}], whole=True, target=9)
    assert not position.behind


def test_a_slow_socket_keeps_a_bounded_number_and_still_gets_all() -> None:
    position = Position(seq=0, counters=Counters())
    for seq in range(1, 1001):
        position.hear({**news(seq), "read": {"up_to_seq": seq}})
    assert len(position.waiting) == len(position.take_reads()) == WAITING_AT_MOST
    assert len(position.take()) == WAITING_AT_MOST
    assert position.behind


def test_a_late_count_does_not_undo_a_newer_one() -> None:
    position = Position(seq=5, counters=Counters(5, 5))
    position.hear(news(last_seq=5, unread=0))
    position.hear(news(last_seq=5, unread=3))
    assert position.counters == Counters(5, 0)
