"""How messages are gathered into a digest, as a category or a request says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.errors import InvalidInput
from notifier.values import daily_times
from notifier.values.daily_times import DailyTime
from notifier.values.duration import parse_duration
from notifier.vocabulary.content import BROWSER_URL, PREFERENCES_URL, UNSUBSCRIBE_URL

LONGEST_WINDOW = timedelta(days=30)
#: without a `max_window` a digest leaves so many windows after its first item at the latest
WINDOWS = 4
MOST_ITEMS = 500
DEFAULT_ITEMS = 100
#: what a digest template can read
VARIABLES = frozenset({"items", "count", "recipient", UNSUBSCRIBE_URL, PREFERENCES_URL, BROWSER_URL})


@dataclass(frozen=True)
class DigestTerms:
    """When a digest leaves, and as what: either `window` and `max_window`, or `schedule` is set. `channels`: empty for
    those of the template."""

    template: str  #: its key
    window: timedelta | None = None
    max_window: timedelta | None = None
    schedule: DailyTime | None = None
    max_items: int = DEFAULT_ITEMS
    channels: tuple[str, ...] = ()
    #: of a category whose messages leave by themselves unless they exceed a frequency cap
    only_over_cap: bool = False

    def closing_times(self, zone_name: str, now: datetime) -> tuple[datetime, datetime]:
        """When a digest with an item of now closes, and when it closes at the latest if now is its first item."""
        if self.schedule is not None:
            at = daily_times.next_time(self.schedule, zone_name, now)
            return at, at
        assert self.window is not None
        latest = now + (self.max_window or self.window)
        return min(now + self.window, latest), latest


@dataclass(frozen=True)
class DigestRequest:
    """The `digest` of a request. What is left empty, the category's setting says."""

    key: str
    template: str = ""
    window: str = ""
    max_window: str = ""
    schedule: str = ""
    max_items: int | None = None


#: window, largest window, schedule
Times = tuple[timedelta | None, timedelta | None, DailyTime | None]


def read_times(window: str, max_window: str, schedule: str) -> Times:
    """The window, the largest window and the schedule that these texts say. Raises InvalidInput, naming the field,
    unless exactly one of `window` and `schedule` is given."""
    if window and schedule:
        raise InvalidInput("Not beside window: choose one.", field="schedule", code="two_times")
    if schedule:
        if max_window:
            raise InvalidInput("Belongs to a window; a schedule has none.", field="max_window", code="two_times")
        return None, None, daily_times.parse(schedule, "schedule")
    if not window:
        raise InvalidInput("Give window or schedule: when the digest leaves.", field="window", code="required")
    length = _read_length(window, "window")
    if not max_window:
        return length, min(WINDOWS * length, LONGEST_WINDOW), None
    longest = _read_length(max_window, "max_window")
    if longest < length:
        raise InvalidInput("Is shorter than the window.", field="max_window", code="out_of_range")
    return length, longest, None


def _read_length(text: str, field: str) -> timedelta:
    length = parse_duration(text)
    if length is None:
        raise InvalidInput("Must be a whole number and s, m, h or d, such as 10m.", field=field)
    if length > LONGEST_WINDOW:
        raise InvalidInput(f"Must be {LONGEST_WINDOW.days}d at most.", field=field, code="out_of_range")
    return length
