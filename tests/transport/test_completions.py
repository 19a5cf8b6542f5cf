"""The meeting point of threads as a unit: each answer is told once, complete volleys at once, others soon."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

import pytest

from notifier.transport import completions as completions_module
from notifier.transport.completions import Completions, PendingBatch
from notifier.vocabulary.http import RequestTemplate, TransportError

HEAD = RequestTemplate("POST", "https://far.example", "/", ())


class Wire:
    """Remembers what it was asked to do."""

    def __init__(self) -> None:
        self.launched: list[PendingBatch] = []
        self.retracted: list[PendingBatch] = []

    def launch(
        self, pending: PendingBatch, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None
    ) -> None:
        self.launched.append(pending)

    def retract(self, pending: PendingBatch) -> None:
        self.retracted.append(pending)


@pytest.fixture
def completions() -> Completions:
    return Completions(Wire())


#: seconds that no machine needs, however busy: a wait that is shorter was ended by somebody
LONG = 60.0


def later(seconds: float, pending: PendingBatch, *indexes: int) -> None:
    threading.Timer(seconds, lambda: pending.put([(index, 200) for index in indexes])).start()


def took(completions: Completions | PendingBatch, patience: float) -> float:
    start = time.monotonic()
    completions.take(patience)
    return time.monotonic() - start


def test_a_complete_volley_wakes_its_thread_at_once_and_an_incomplete_one_soon(
    completions: Completions, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, part = completions.send_batch(HEAD, [b""]), completions.send_batch(HEAD, [b""] * 2)
    monkeypatch.setattr(completions_module, "GATHER", LONG)
    later(0.1, whole, 0)
    assert took(completions, 2 * LONG) < LONG
    monkeypatch.setattr(completions_module, "GATHER", 0.3)
    later(0.1, part, 1)
    assert took(completions, 2 * LONG) < LONG
    assert (completions.left, whole.left, part.left) == (1, 0, 1)


def test_a_large_heap_wakes_its_thread(completions: Completions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completions_module, "GATHER", LONG)
    monkeypatch.setattr(completions_module, "HEAP", 3)
    pending = completions.send_batch(HEAD, [b""] * 5)
    later(0.05, pending, 0, 1, 2)
    assert took(pending, 2 * LONG) < LONG
    assert pending.left == 2


def test_patience_is_kept_and_nothing_is_waited_for_that_cannot_come(completions: Completions) -> None:
    assert took(completions, 2 * LONG) < LONG
    pending = completions.send_batch(HEAD, [b""] * 2)
    assert 0.1 < took(pending, 0.12) < LONG
    assert completions.take(0) == []
    pending.put([(1, 200), (0, 200)])
    assert pending.take(0) == [(1, 200), (0, 200)]
    assert pending.take(5) == []
    assert completions.take(5) == []


def test_a_volley_may_be_taken_by_itself_beside_others(completions: Completions) -> None:
    one, two = completions.send_batch(HEAD, [b""]), completions.send_batch(HEAD, [b""] * 3)
    two.put([(2, 200)])
    one.put([(0, 200)])
    assert one.take(1) == [(0, 200)]
    two.put([(1, 200)])
    assert completions.take(1) == [(two, [(2, 200)])]
    assert completions.take(1) == [(two, [(1, 200)])]
    two.put([(0, 200)])
    assert two.take(1) == [(0, 200)]
    assert (completions.left, completions.take(1)) == (0, [])


def test_withdrawing_asks_the_wire_once_and_only_for_what_is_open() -> None:
    client = Wire()
    pending = Completions(client).send_batch(HEAD, [b""])
    pending.withdraw()
    pending.withdraw()
    assert client.retracted == [pending]
    done = Completions(client).send_batch(HEAD, [])
    done.withdraw()
    assert client.retracted == [pending]


def test_what_is_open_when_a_thread_ends_is_in_doubt_and_later_answers_are_not_told(completions: Completions) -> None:
    keeper: set[PendingBatch] = set()
    pending = completions.send_batch(HEAD, [b""] * 3)
    pending.kept_in(keeper)
    pending.put([(1, 200)])
    pending.fail("over")
    pending.put([(0, 200)])
    pending.fail("over")
    over = TransportError(True, "over", disconnected=True)
    assert pending.take(1) == [(1, 200), (0, over), (2, over)]
    assert not keeper


def test_each_volley_needs_as_many_paths_as_bodies(completions: Completions) -> None:
    with pytest.raises(ValueError, match="as many paths"):
        completions.send_batch(HEAD, [b"", b""], [b"/"])


def test_two_threads_of_the_wire_bring_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completions_module, "HEAP", 50)
    completions = Completions(Wire())
    size, found = 3_000, dict[tuple[int, int], int]()
    volleys = [completions.send_batch(HEAD, [b""] * size) for _ in range(4)]
    names = {id(pending): number for number, pending in enumerate(volleys)}

    def bring(part: int) -> None:
        rest = [(pending, index) for pending in volleys for index in range(part, size, 2)]
        random.shuffle(rest)
        while rest:
            some, rest = rest[:17], rest[17:]
            for pending in volleys:
                pending.put([(index, 200) for one, index in some if one is pending])

    threads = [threading.Thread(target=bring, args=(part,)) for part in range(2)]
    for thread in threads:
        thread.start()
    while completions.left:
        for pending, answers in completions.take(10):
            for index, _ in answers:
                found[names[id(pending)], index] = found.get((names[id(pending)], index), 0) + 1
    assert len(found) == 4 * size and set(found.values()) == {1}
    assert [pending.left for pending in volleys] == [0] * 4
