"""The slots of a schedule for a reader: the next ones, computed and stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
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
    """(time, state) of the slots after `start`, up to and with `end`: those with a row, and those to come."""
    rows = ScheduleSlot.objects.filter(schedule=schedule, at__gt=start)
    stored = list((rows if end is None else rows.filter(at__lte=end)).order_by("at").values_list("at", "state"))
    for at, state in merge(stored, _without_row(schedule, start, {at for at, _ in stored})):
        if end is not None and at > end:
            return
        yield at, state


def _without_row(schedule: Schedule, start: datetime, taken: Collection[datetime]) -> Iterator[tuple[datetime, str]]:
    if schedule.state not in (Schedule.State.ACTIVE, Schedule.State.PAUSED):
        return
    state = PLANNED if schedule.state == Schedule.State.ACTIVE else str(schedule.state)
    for at in slots_after(schedule, max(start, schedule.done_until)):
        if at not in taken:
            yield at, state
