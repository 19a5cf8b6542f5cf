"""Waves: in which wave each recipient of a campaign at local time is. Pure.

A wave is the messages that become due at one moment: those of all zones with the same offset at the campaign's local
time. So there are as many waves as offsets, about 38, and not as many as zones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from campaigns.models import Campaign, Passed
from notifier.errors import InvalidInput
from notifier.values.zones import from_wall_clock
from notifier.vocabulary.people import Person

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class LocalClock:
    """The campaign's local time, the moment from which on its messages may leave, and what becomes of a recipient whose
    time is over by then. `tenant_zone`: of recipients without a zone."""

    local_time: datetime
    begins: datetime
    passed: str
    tenant_zone: str

    def due_at(self, zone_name: str) -> datetime | None:
        """When the messages of this zone become due (UTC): when a clock of the zone shows the local time; the first of
        two such moments; moved forward by what the clock skips. If that moment is over, the next day on which it is
        not; None: the recipient is left out."""
        local = self.local_time
        while (at := from_wall_clock(local, zone_name or self.tenant_zone)) < self.begins:
            if self.passed == Passed.LEAVE_OUT:
                return None
            local += _DAY
        return at


def clock_of(campaign: Campaign, started: datetime) -> LocalClock | None:
    """None for a campaign without a local time. `started`: when arming began. A planned launch counts with its hold:
    what is over by then cannot leave in time."""
    if campaign.local_time is None:
        return None
    begins = started
    if campaign.launch_at is not None:
        begins = max(started, campaign.launch_at + timedelta(seconds=campaign.hold_seconds))
    return LocalClock(campaign.local_time, begins, campaign.passed, campaign.tenant.timezone)


@dataclass
class WaveSplit:
    """Recipients by the moment at which their messages become due, the earliest first; and those who are left out."""

    waves: dict[datetime, list[Person]] = field(default_factory=dict)
    left_out: list[Person] = field(default_factory=list)


def split_people(people: Iterable[Person], clock: LocalClock) -> WaveSplit:
    """Split the recipients of one audience range. Each zone is computed once a range.

    Planning 10,000 people in eight zones took 11.7 µs a person, 10.4 without a local time, and 12 to 14 before there
    were waves (a busy machine); the memory is the same."""
    split, by_zone = WaveSplit(), dict[str, list[Person]]()
    waves: dict[datetime, list[Person]] = {}
    for person in people:
        group = by_zone.get(person.timezone)
        if group is None:
            at = clock.due_at(person.timezone)
            group = by_zone[person.timezone] = split.left_out if at is None else waves.setdefault(at, [])
        group.append(person)
    split.waves = dict(sorted(waves.items()))
    return split


#: a clock shows a time first in Kiribati (UTC+14), and last at UTC-12
FIRST, LAST = timedelta(hours=-14), timedelta(hours=12)


def check_not_over(local_time: datetime | None, now: datetime) -> None:
    """Raise InvalidInput for a local time that is over in every zone."""
    if local_time is not None and local_time.replace(tzinfo=UTC) + LAST <= now:
        raise InvalidInput("Is over everywhere on earth.", field="local_time", code="in_the_past")
