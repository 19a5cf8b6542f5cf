"""Which messages a socket sends next, for announcements in any order. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from inbox.live.frames import parts_of
from inbox.live.sync_state import WAITING_AT_MOST, SyncState
from inbox.store.counters import Counters


def news(*seqs: int, last_seq: int | None = None, unread: int | None = None) -> dict[str, Any]:
    newest = last_seq or max(seqs)
    messages = [{"seq": seq} for seq in seqs]
    counters = Counters(last_seq=newest, unread=newest if unread is None else unread)
    return {**counters.as_json(), "messages": messages}


@pytest.mark.parametrize(
    ("announced", "taken", "is_behind"),
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
def test_only_the_next_messages_are_sent_and_a_gap_needs_the_table(
    announced: list[dict[str, Any]], taken: list[int], is_behind: bool
) -> None:
    state = SyncState(seq=5, revision=0, counters=Counters(last_seq=5, unread=5))
    for announcement in announced:
        state.receive_announcement(announcement)
    assert [m["seq"] for m in state.next_messages()] == taken
    assert state.is_behind is is_behind


def test_a_message_from_the_table_is_not_sent_again_when_it_is_announced() -> None:
    state = SyncState(seq=5, revision=0, counters=Counters(last_seq=5, unread=5))
    state.receive_announcement(news(8))
    assert state.next_messages() == []
    state.accept_page([{"seq": 6}, {"seq": 7}, {"seq": 8}], whole=True, target=8)
    state.receive_announcement(news(7))
    assert (state.next_messages(), state.is_behind) == ([], False)


def test_the_socket_does_not_wait_for_erased_messages() -> None:
    state = SyncState(seq=5, revision=0, counters=Counters(last_seq=9, unread=4))
    state.accept_page([{"seq": 7}], whole=True, target=9)
    assert not state.is_behind


def change(revision: int, **content: Any) -> dict[str, Any]:
    return {**Counters(last_seq=5, revision=revision).as_json(), **content}


def test_a_slow_socket_keeps_a_bounded_number_of_messages_and_changes_and_is_behind() -> None:
    state = SyncState(seq=0, revision=0, counters=Counters())
    for number in range(1, 1001):
        state.receive_announcement({**news(number), "revision": number, "read": {"up_to_seq": number}})
    assert len(state.waiting) == len(state.waiting_changes) == WAITING_AT_MOST
    assert len(state.next_messages()) == WAITING_AT_MOST
    assert state.is_behind
    assert state.misses_changes


@pytest.mark.parametrize(
    ("announced", "sent", "misses"),
    [
        ([change(1, seen=5)], [{"seen": 5}], False),
        ([change(2, seen=5), change(1, read={"up_to_seq": 3})], [{"read": {"up_to_seq": 3}}, {"seen": 5}], False),
        ([change(1, seen=5), change(1, seen=5)], [{"seen": 5}], False),
        ([change(2, seen=5)], [], True),
        # too large to be announced, so that only the counters came
        ([change(1)], [], True),
        ([], [], False),
    ],
)
def test_changes_are_sent_in_their_order_and_a_gap_needs_the_table(
    announced: list[dict[str, Any]], sent: list[dict[str, Any]], misses: bool
) -> None:
    state = SyncState(seq=5, revision=0, counters=Counters(last_seq=5))
    for announcement in announced:
        state.receive_announcement(announcement)
    changes = iter(state.next_change, None)
    assert list(changes) == sent
    assert state.misses_changes is misses


def test_a_change_from_the_table_is_not_sent_again_when_it_is_announced() -> None:
    state = SyncState(seq=5, revision=0, counters=Counters(last_seq=5))
    state.receive_announcement(change(3, seen=5))
    state.accept_changes(3)
    state.receive_announcement(change(2, seen=4))
    assert (state.next_change(), state.waiting_changes, state.misses_changes) == (None, {}, False)


def test_an_old_announcement_does_not_undo_a_newer_one() -> None:
    state = SyncState(seq=5, revision=0, counters=Counters(last_seq=5, unread=5))
    state.receive_announcement(change(1, read={"up_to_seq": 5}))
    state.receive_announcement(news(last_seq=5, unread=3))
    assert state.counters == Counters(last_seq=5, revision=1)


def test_a_frame_carries_as_many_messages_as_clients_take() -> None:
    def message(size: int) -> dict[str, object]:
        return {"title": "t", "body": "x" * size, "data": {}}

    small, large = message(10), message(150_000)
    assert list(parts_of([small] * 100)) == [[small] * 100]
    assert list(parts_of([small, large, small, large, large])) == [[small, large, small], [large], [large]]
    assert list(parts_of([message(500_000)])) == [[message(500_000)]]
