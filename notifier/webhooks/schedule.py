"""What becomes of a message and its endpoint after an attempt. Pure.

The waits are those of Svix, whose libraries receivers know. An endpoint that fails is asked again with the oldest
message that is due, and the other messages wait meanwhile: at first 5 seconds, at most 5 minutes; where the server asks
for more with `Retry-After`, as long as it asks, at most six hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: seconds until the next attempt, after the first, the second …; the last one holds on
WAITS = (5, 300, 1_800, 7_200, 18_000, 36_000)
GIVE_UP = timedelta(days=3)
#: an endpoint that has failed for so long is disabled
DISABLE = timedelta(days=5)
#: and after so many attempts at least: an endpoint with an event a week is not disabled for two failures
DISABLE_ATTEMPTS = 5
#: the share of a wait by which it is longer or shorter
JITTER = 0.1
#: a server may ask for a later attempt, within these seconds
LEAST_WAIT, MOST_WAIT = 1.0, 21_600.0
#: seconds for which the other messages of a failing endpoint wait
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
#: after so many failures in a row an endpoint counts as down: its first success makes everything due
DOWN = 3
GONE = 410


@dataclass(frozen=True)
class Result:
    """One attempt. No status: there was no answer, and `error` says why."""

    status: int | None = None
    headers: Mapping[str, str] | None = None
    error: str = ""

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        return self.status == GONE

    @property
    def words(self) -> str:
        """Why it failed."""
        if self.status is None:
            return self.error
        if 300 <= self.status < 400:
            return f"HTTP {self.status}: a redirect, which is not followed"
        return f"HTTP {self.status}"


@dataclass(frozen=True)
class Next:
    """`wait`: seconds until the message is due again; None: Notifier gives up. `pause`: seconds until the endpoint is
    asked again."""

    wait: float | None
    pause: float


def after_failure(result: Result, attempts: int, age: timedelta, failures: int, random: Callable[[], float]) -> Next:
    """`attempts`: of the message, with this one. `age`: since its tries began. `failures`: of the endpoint in a row,
    with this one. `random`: a number from 0 to 1."""
    wait = WAITS[min(attempts, len(WAITS)) - 1] * (1 + JITTER * (2 * random() - 1))
    asked = retry_after(result.headers or {}, datetime.now(UTC))
    if asked is not None:
        wait = max(wait, asked)
    pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 20), LONGEST_PAUSE)
    if asked is not None:
        pause = max(pause, asked)
    return Next(None if age + timedelta(seconds=wait) > GIVE_UP else wait, pause)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that `Retry-After` asks for, within the limits; None without one that can be read."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        seconds = float(text[:10])
    else:
        try:
            at = parsedate_to_datetime(text)
            seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
        except (ValueError, IndexError, OverflowError, TypeError):
            # a number of twenty digits is an OverflowError
            return None
    return min(max(seconds, LEAST_WAIT), MOST_WAIT)


def must_disable(failing_since: datetime, failures: int, now: datetime) -> bool:
    """Whether an endpoint has failed for too long."""
    return failures >= DISABLE_ATTEMPTS and now - failing_since >= DISABLE
