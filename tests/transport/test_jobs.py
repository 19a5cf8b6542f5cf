"""The meeting point of threads as a unit: each answer is told once, complete volleys at once, others soon."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

import pytest

from notifier.transport import jobs
from notifier.transport.jobs import Box, Job
from notifier.vocabulary import Broken, Head

HEAD = Head("POST", "https://far.example", "/", ())


class Wire:
    """Remembers what it was asked to do."""

    def __init__(self) -> None:
        self.launched: list[Job] = []
        self.retracted: list[Job] = []

    def launch(self, job: Job, head: Head, bodies: Sequence[bytes], paths: Sequence[bytes] | None) -> None:
        self.launched.append(job)

    def retract(self, job: Job) -> None:
        self.retracted.append(job)


@pytest.fixture
def box() -> Box:
    return Box(Wire())


#: seconds that no machine needs, however busy: a wait that is shorter was ended by somebody
LONG = 60.0


def later(seconds: float, job: Job, *indexes: int) -> None:
    threading.Timer(seconds, lambda: job.put([(index, 200) for index in indexes])).start()


def took(box: Box | Job, patience: float) -> float:
    start = time.monotonic()
    box.take(patience)
    return time.monotonic() - start


def test_a_complete_volley_wakes_its_thread_at_once_and_an_incomplete_one_soon(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, part = box.volley(HEAD, [b""]), box.volley(HEAD, [b""] * 2)
    monkeypatch.setattr(jobs, "GATHER", LONG)
    later(0.1, whole, 0)
    assert took(box, 2 * LONG) < LONG
    monkeypatch.setattr(jobs, "GATHER", 0.3)
    later(0.1, part, 1)
    assert took(box, 2 * LONG) < LONG
    assert (box.left, whole.left, part.left) == (1, 0, 1)


def test_a_large_heap_wakes_its_thread(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "GATHER", LONG)
    monkeypatch.setattr(jobs, "HEAP", 3)
    job = box.volley(HEAD, [b""] * 5)
    later(0.05, job, 0, 1, 2)
    assert took(job, 2 * LONG) < LONG
    assert job.left == 2


def test_patience_is_kept_and_nothing_is_waited_for_that_cannot_come(box: Box) -> None:
    assert took(box, 2 * LONG) < LONG
    job = box.volley(HEAD, [b""] * 2)
    assert 0.1 < took(job, 0.12) < LONG
    assert box.take(0) == []
    job.put([(1, 200), (0, 200)])
    assert job.take(0) == [(1, 200), (0, 200)]
    assert job.take(5) == []
    assert box.take(5) == []


def test_a_volley_may_be_taken_by_itself_beside_others(box: Box) -> None:
    one, two = box.volley(HEAD, [b""]), box.volley(HEAD, [b""] * 3)
    two.put([(2, 200)])
    one.put([(0, 200)])
    assert one.take(1) == [(0, 200)]
    two.put([(1, 200)])
    assert box.take(1) == [(two, [(2, 200)])]
    assert box.take(1) == [(two, [(1, 200)])]
    two.put([(0, 200)])
    assert two.take(1) == [(0, 200)]
    assert (box.left, box.take(1)) == (0, [])


def test_withdrawing_asks_the_wire_once_and_only_for_what_is_open() -> None:
    wire = Wire()
    job = Box(wire).volley(HEAD, [b""])
    job.withdraw()
    job.withdraw()
    assert wire.retracted == [job]
    done = Box(wire).volley(HEAD, [])
    done.withdraw()
    assert wire.retracted == [job]


def test_what_is_open_when_a_thread_ends_is_in_doubt_and_later_answers_are_not_told(box: Box) -> None:
    keeper: set[Job] = set()
    job = box.volley(HEAD, [b""] * 3)
    job.kept_in(keeper)
    job.put([(1, 200)])
    job.fail("over")
    job.put([(0, 200)])
    job.fail("over")
    over = Broken(True, "over", cut=True)
    assert job.take(1) == [(1, 200), (0, over), (2, over)]
    assert not keeper


def test_each_volley_needs_as_many_paths_as_bodies(box: Box) -> None:
    with pytest.raises(ValueError, match="as many paths"):
        box.volley(HEAD, [b"", b""], [b"/"])


def test_two_threads_of_the_wire_bring_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "HEAP", 50)
    box = Box(Wire())
    size, found = 3_000, dict[tuple[int, int], int]()
    volleys = [box.volley(HEAD, [b""] * size) for _ in range(4)]
    names = {id(job): number for number, job in enumerate(volleys)}

    def bring(part: int) -> None:
        rest = [(job, index) for job in volleys for index in range(part, size, 2)]
        random.shuffle(rest)
        while rest:
            some, rest = rest[:17], rest[17:]
            for job in volleys:
                job.put([(index, 200) for one, index in some if one is job])

    threads = [threading.Thread(target=bring, args=(part,)) for part in range(2)]
    for thread in threads:
        thread.start()
    while box.left:
        for job, answers in box.take(10):
            for index, _ in answers:
                found[names[id(job)], index] = found.get((names[id(job)], index), 0) + 1
    assert len(found) == 4 * size and set(found.values()) == {1}
    assert [job.left for job in volleys] == [0] * 4
