"""Threads that store calls in groups: those of one owner that came while the owner's transaction before was committed.

A transaction for each call would cost PostgreSQL and the web process more than everything else about the call. No timer
waits for a group to fill, so a lone call waits for nothing. Owners take turns, and an owner has one group at a time: a
slow one takes one thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import connection

from notifier.metrics.recording import measures
from notifier.web.limits import uncount

C = TypeVar("C")
A = TypeVar("A")
Owner = Hashable
#: the newest groups that are kept for those who measure: ten seconds at 400 a second
_MOST_GROUPS = 4_000
#: seconds for which an idle thread keeps its database connection: taking one from the pool costs 0.2 ms
IDLE_SECONDS = 1.0


class Busy(Exception):
    """The calls that wait are too many already: those of the owner, or all."""


@dataclass(frozen=True)
class GroupLimits:
    """`calls`: of one group, so that a call waits for few others. The bytes of calls that may wait: in all, and of one
    owner."""

    threads: int = 1
    calls: int = 32
    waiting_bytes: int = 32 * 1024 * 1024
    owner_bytes: int = 16 * 1024 * 1024


@dataclass(eq=False, slots=True)
class _Waiting(Generic[C, A]):
    call: C
    size: int
    answer: asyncio.Future[A]


@dataclass(frozen=True, slots=True)
class Stored:
    """One group that was stored at `at`, `seconds` after its owner was ready for it: the time in which the owner waited
    for a thread, and that of storing. Calls behind more than one group of their own owner wait longer. A group costs
    1.3 µs more by being measured."""

    at: float
    owner: Owner
    calls: int
    seconds: float


#: name of a GroupCommit -> its newest groups; `notifier.web.load_meter` reads those of notifications
_stored: dict[str, deque[Stored]] = {}


def newest_groups(name: str) -> Sequence[Stored]:
    """The newest groups that the GroupCommit of that name has stored in this process."""
    return list(_stored.get(name, ()))


class GroupCommit(Generic[C, A]):
    """`answers` stores the calls of a group and returns the answer to each, or the exception that refuses it. It runs
    in a thread, with a database connection that it may leave open."""

    def __init__(
        self, name: str, answers: Callable[[Sequence[C]], Sequence[A | BaseException]], limits: GroupLimits
    ) -> None:
        self._name, self._answers, self._limits = name, answers, limits
        self._changed = threading.Condition()
        self._calls: dict[Owner, deque[_Waiting[C, A]]] = {}
        #: owners with calls, of whom no thread has a group, and since when
        self._ready: deque[tuple[Owner, float]] = deque()
        self._stored = _stored.setdefault(name, deque(maxlen=_MOST_GROUPS))
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._bytes: Counter[Owner] = Counter()
        self._all_bytes = 0

    async def submit(self, owner: Owner, call: C, size: int) -> A:
        """The answer, once the call is stored. Raises Busy, and what refuses the call."""
        waiting = _Waiting(call, size, asyncio.get_running_loop().create_future())
        self._put(owner, waiting)
        try:
            answer: A = await waiting.answer
            return answer
        finally:
            self._all_bytes -= size
            self._bytes[owner] -= size - 1
            uncount(self._bytes, owner)

    def _put(self, owner: Owner, waiting: _Waiting[C, A]) -> None:
        limits = self._limits
        if self._all_bytes + waiting.size > limits.waiting_bytes or self._bytes[owner] > limits.owner_bytes:
            raise Busy
        self._all_bytes += waiting.size
        self._bytes[owner] += waiting.size
        with self._changed:
            if owner in self._calls:
                self._calls[owner].append(waiting)
                return  # a thread takes it with the owner's next group
            self._calls[owner] = deque([waiting])
            self._ready.append((owner, time.monotonic()))
            if len(self._ready) > self._idle and len(self._threads) < limits.threads:
                self._start_thread()
            self._changed.notify()

    def _start_thread(self) -> None:
        name = f"{self._name}-{len(self._threads)}"
        self._threads.append(threading.Thread(target=self._run, name=name, daemon=True))
        self._threads[-1].start()

    # -- in a thread --

    def _run(self) -> None:
        while True:
            owner, since, group = self._next()
            try:
                answers = self._answers([waiting.call for waiting in group])
            except Exception as error:
                answers = [error] * len(group)
                connection.close()
            _hand_over(group, answers)
            now = time.monotonic()
            self._stored.append(Stored(now, owner, len(group), now - since))
            measures.observe(measures.GROUP_CALLS, len(group), self._name)
            measures.observe(measures.GROUP_SECONDS, now - since, self._name)
            self._release(owner)

    def _next(self) -> tuple[Owner, float, list[_Waiting[C, A]]]:
        with self._changed:
            self._idle += 1
            try:
                while not self._ready:
                    if not self._changed.wait(IDLE_SECONDS):
                        connection.close()  # back to the pool
            finally:
                self._idle -= 1
            owner, since = self._ready.popleft()
            calls = self._calls[owner]
            return owner, since, [calls.popleft() for _ in range(min(len(calls), self._limits.calls))]

    def _release(self, owner: Owner) -> None:
        with self._changed:
            if self._calls[owner]:
                self._ready.append((owner, time.monotonic()))
                self._changed.notify()
            else:
                del self._calls[owner]


def _hand_over(group: Sequence[_Waiting[C, A]], answers: Sequence[A | BaseException]) -> None:
    """A call whose client has left is stored nevertheless."""
    answered = list(zip(group, answers, strict=True))
    for loop in {waiting.answer.get_loop() for waiting in group}:
        loop.call_soon_threadsafe(_resolve, [pair for pair in answered if pair[0].answer.get_loop() is loop])


def _resolve(answered: Sequence[tuple[_Waiting[C, A], A | BaseException]]) -> None:
    for waiting, answer in answered:
        if waiting.answer.done():
            continue
        if isinstance(answer, BaseException):
            waiting.answer.set_exception(answer)
        else:
            waiting.answer.set_result(answer)
