"""The limits of one rendering of a template, and the error of a rendering that passes one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from liquid.exceptions import LiquidError

#: characters of one template part, of one value inside a template, and of a filter's input and result
MAX_TEXT = 64 * 1024
#: entries of a list or a range inside a template
MAX_ITEMS = 10_000
#: bytes of one rendered part
MAX_OUTPUT = 2 * MAX_TEXT
#: bits of a whole number that arithmetic may produce; repeated squaring doubles them each time
MAX_BITS = 256
#: nodes visited, variables read, filters applied and rounds of loops. An ordinary message needs fewer than a hundred
#: steps; this number of steps takes 20 to 40 ms
MAX_STEPS = 20_000
#: characters of all filters' inputs and results: sixteen times the largest value. The slowest filters process four
#: characters in a microsecond
MAX_WORK = 16 * MAX_TEXT
#: seconds of processor time of the rendering thread. Processor time, because a busy machine must not make a message
#: fail that renders on an idle one
MAX_SECONDS = 0.1
#: seconds that the parts of one message may take together, and the seconds for each further message of a call
MAX_CALL_SECONDS, PER_MESSAGE = 0.1, 0.0005
#: steps between two checks of the clock, which cost 0.3 µs each; a step takes at most some milliseconds
_CHECK_EVERY = 8


#: the thread's processor time at which the renderings of one `shared_budget` must have ended
_until: ContextVar[float] = ContextVar("render_until", default=float("inf"))


@contextmanager
def shared_budget(messages: int = 1) -> Iterator[None]:
    """All renderings inside share the time of so many messages; a rendering after that time is refused."""
    ends = time.thread_time() + MAX_CALL_SECONDS + PER_MESSAGE * (messages - 1)
    token = _until.set(min(ends, _until.get()))
    try:
        yield
    finally:
        _until.reset(token)


class LimitExceeded(LiquidError):
    """A rendering passed a limit."""

    def __init__(self, message: str) -> None:
        super().__init__(message, token=None)


class Budget:
    """What one rendering may still use."""

    __slots__ = ("_check_at", "_ends", "_steps", "_work")

    def __init__(self) -> None:
        self._steps = MAX_STEPS
        self._check_at = MAX_STEPS - _CHECK_EVERY
        self._work = MAX_WORK
        self._ends = min(time.thread_time() + MAX_SECONDS, _until.get())

    def step(self, count: int = 1) -> None:
        """Pay for `count` steps. Raises LimitExceeded."""
        self._steps = left = self._steps - count
        if left < self._check_at:
            if left < 0:
                raise LimitExceeded(f"rendering takes more than {MAX_STEPS} steps")
            self._check_at = left - _CHECK_EVERY
            self.check_time()

    def spend(self, characters: int, times: int = 1) -> None:
        """Pay for a filter's input or result; `times`: the cost of a character, compared with other filters. Raises
        LimitExceeded."""
        if characters > MAX_TEXT:
            raise LimitExceeded(f"a filter's text or list is larger than {MAX_TEXT} characters")
        self._work -= characters * times
        if self._work < 0:
            raise LimitExceeded(f"filters handle more than {MAX_WORK} characters in all")

    def check_time(self) -> None:
        """Raise LimitExceeded when the time is over."""
        if time.thread_time() > self._ends:
            raise LimitExceeded(f"rendering takes too long; a message has {MAX_SECONDS:g} s")
