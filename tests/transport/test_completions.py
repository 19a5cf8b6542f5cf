"""Completion queues as a unit: each answer is returned once; a complete batch wakes its thread at once, an answer of an
incomplete one is found soon."""

from __future__ import annotations

import random
import threading
import time

import pytest

from notifier.transport.completions import Completions, PendingBatch
from notifier.vocabulary.http import RequestRows, RequestTemplate, TransportError

TEMPLATE = RequestTemplate("POST", "https://server.example", "/", ())


class RecordingClient:
    """Records the batches that it was told to start and to withdraw."""

    def __init__(self) -> None:
        self.started_batches: list[PendingBatch] = []
        self.retracted_batches: list[PendingBatch] = []

    def start_batch(self, pending: PendingBatch, head: RequestTemplate, rows: RequestRows) -> None:
        self.started_batches.append(pending)

    def withdraw(self, pending: PendingBatch) -> None:
        self.retracted_batches.append(pending)


@pytest.fixture
def completions() -> Completions:
    return Completions(RecordingClient())


#: seconds that no machine needs, however busy: a shorter wait was ended by a wakeup
LONG = 60.0


def later(seconds: float, pending: PendingBatch, *indexes: int) -> None:
    threading.Timer(seconds, lambda: pending.put([(index, 200) for index in indexes])).start()


def took(completions: Completions | PendingBatch, timeout: float) -> float:
    start = time.monotonic()
    completions.take(timeout)
    return time.monotonic() - start


def test_a_complete_batch_wakes_the_sending_thread_at_once() -> None:
    completions = Completions(RecordingClient(), gather=LONG)
    complete, incomplete = (
        completions.send_batch(TEMPLATE, RequestRows([b""])),
        completions.send_batch(TEMPLATE, RequestRows([b""] * 2)),
    )
    later(0.1, complete, 0)
    assert took(completions, 2 * LONG) < LONG
    assert (completions.left, complete.left, incomplete.left) == (2, 0, 2)


def test_an_answer_of_an_incomplete_batch_is_found_soon() -> None:
    completions = Completions(RecordingClient(), gather=0.3)
    complete, incomplete = (
        completions.send_batch(TEMPLATE, RequestRows([b""])),
        completions.send_batch(TEMPLATE, RequestRows([b""] * 2)),
    )
    later(0.1, incomplete, 1)
    assert took(completions, 2 * LONG) < LONG
    assert (completions.left, complete.left, incomplete.left) == (2, 1, 1)


def test_many_answers_wake_the_sending_thread() -> None:
    completions = Completions(RecordingClient(), gather=LONG, wake_at=3)
    pending = completions.send_batch(TEMPLATE, RequestRows([b""] * 5))
    later(0.05, pending, 0, 1, 2)
    assert took(pending, 2 * LONG) < LONG
    assert pending.left == 2


def test_a_take_waits_for_its_timeout_and_not_at_all_when_no_answer_can_come(completions: Completions) -> None:
    assert took(completions, 2 * LONG) < LONG
    pending = completions.send_batch(TEMPLATE, RequestRows([b""] * 2))
    assert 0.1 < took(pending, 0.12) < LONG
    assert completions.take(0) == []
    pending.put([(1, 200), (0, 200)])
    assert pending.take(0) == [(1, 200), (0, 200)]
    assert pending.take(5) == []
    assert completions.take(5) == []


def test_the_answers_of_one_batch_may_be_taken_beside_those_of_others(completions: Completions) -> None:
    one, two = (
        completions.send_batch(TEMPLATE, RequestRows([b""])),
        completions.send_batch(TEMPLATE, RequestRows([b""] * 3)),
    )
    two.put([(2, 200)])
    one.put([(0, 200)])
    assert one.take(1) == [(0, 200)]
    two.put([(1, 200)])
    assert completions.take(1) == [(two, [(2, 200)])]
    assert completions.take(1) == [(two, [(1, 200)])]
    two.put([(0, 200)])
    assert two.take(1) == [(0, 200)]
    assert (completions.left, completions.take(1)) == (0, [])


def test_withdrawing_tells_the_client_once_and_only_for_an_open_batch() -> None:
    client = RecordingClient()
    pending = Completions(client).send_batch(TEMPLATE, RequestRows([b""]))
    pending.withdraw()
    pending.withdraw()
    assert client.retracted_batches == [pending]
    done = Completions(client).send_batch(TEMPLATE, RequestRows([]))
    done.withdraw()
    assert client.retracted_batches == [pending]


def test_open_requests_are_in_doubt_when_a_thread_ends_and_later_answers_are_dropped(completions: Completions) -> None:
    registry: set[PendingBatch] = set()
    pending = completions.send_batch(TEMPLATE, RequestRows([b""] * 3))
    pending.register_in(registry)
    pending.put([(1, 200)])
    pending.fail("over")
    pending.put([(0, 200)])
    pending.fail("over")
    over = TransportError(True, "over", disconnected=True)
    assert pending.take(1) == [(1, 200), (0, over), (2, over)]
    assert not registry


def test_each_batch_needs_as_many_paths_as_bodies(completions: Completions) -> None:
    with pytest.raises(ValueError, match="different lengths"):
        completions.send_batch(TEMPLATE, RequestRows([b"", b""], [b"/"]))


def test_two_transport_threads_deliver_every_answer_once() -> None:
    completions = Completions(RecordingClient(), wake_at=50)
    size, counts = 3_000, dict[tuple[int, int], int]()
    batches = [completions.send_batch(TEMPLATE, RequestRows([b""] * size)) for _ in range(4)]
    names = {id(pending): number for number, pending in enumerate(batches)}

    def deliver(part: int) -> None:
        unanswered = [(pending, index) for pending in batches for index in range(part, size, 2)]
        random.shuffle(unanswered)
        while unanswered:
            some, unanswered = unanswered[:17], unanswered[17:]
            for pending in batches:
                pending.put([(index, 200) for one, index in some if one is pending])

    threads = [threading.Thread(target=deliver, args=(part,)) for part in range(2)]
    for thread in threads:
        thread.start()
    while completions.left:
        for pending, answers in completions.take(10):
            for index, _ in answers:
                counts[names[id(pending)], index] = counts.get((names[id(pending)], index), 0) + 1
    assert len(counts) == 4 * size and set(counts.values()) == {1}
    assert [pending.left for pending in batches] == [0] * 4
