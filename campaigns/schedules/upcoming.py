"""The slots of a schedule for a reader: the next ones, computed and stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from campaigns.models import Schedule, ScheduleSlot
from campaigns.schedules.rules.timing import shown_time, slots_after, zone_of

NEXT = 10
PLANNED = "planned"


@dataclass(frozen=True)
class Upcoming:
    """A slot that comes. `state`: planned, paused, preparing or skipped; `local`: what the schedule's clock shows."""

    at: datetime
    local: str
    state: str


def next_slots(schedule: Schedule, now: datetime, limit: int = NEXT) -> list[Upcoming]:
    """The next slots, at most `limit`; of a schedule that has ended none."""
    zone = zone_of(schedule)
    coming = islice(between(schedule, now, None), limit)
    return [Upcoming(at, shown_time(schedule, at, zone), state) for at, state in coming]


def between(schedule: Schedule, start: datetime, end: datetime | None) -> Iterator[tuple[datetime, str]]:
    """(time, state) of the slots after `start`, up to and with `end`: first those with a row, then those to come."""
    rows = ScheduleSlot.objects.filter(schedule=schedule, at__gt=start)
    rows = rows if end is None else rows.filter(at__lte=end)
    stored = list(rows.order_by("at").values_list("at", "state"))
    yield from stored
    if schedule.state not in (Schedule.State.ACTIVE, Schedule.State.PAUSED):
        return
    after = max([start, schedule.done_until, *(at for at, _ in stored[-1:])])
    state = PLANNED if schedule.state == Schedule.State.ACTIVE else str(schedule.state)
    for at in slots_after(schedule, after):
        if end is not None and at > end:
            return
        yield at, state
