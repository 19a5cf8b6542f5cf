"""Schedules of ACME, and a clock that a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns import arming
from campaigns.lifecycle.launching import planned
from campaigns.models import Campaign, Schedule, ScheduleSlot
from campaigns.schedules import edit
from campaigns.schedules import sweep as schedules_sweep
from tests.campaigns.api.conftest import Api, AsWeb
from tests.campaigns.conftest import Site

#: a Monday, some years ahead: a test's slots lie in the future of every other clock, too
MONDAY = datetime(2035, 1, 1, 8, tzinfo=UTC)
WEEKLY = "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0"
DAILY = "FREQ=DAILY;BYHOUR=9;BYMINUTE=0"
HOURLY = "FREQ=HOURLY;BYMINUTE=0"
REMINDER = {"recipient": "ada", "template": "spring", "channels": ["in_app"], "data": {"what": "Spring"}}


@pytest.fixture
def api(site: Site, as_web: AsWeb) -> Api:
    return Api(site.people.acme_key, as_web)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def reminder(site: Site, now: datetime = MONDAY, **fields: Any) -> Schedule:
    """A schedule of a notification to Ada."""
    given = {"name": "Reminder", "notification": REMINDER, **fields}
    return edit.create(site.acme, given, now=now)


def newsletter(site: Site, now: datetime = MONDAY, **fields: Any) -> Schedule:
    """A schedule of a campaign to everybody."""
    given = {"name": "News", "campaign": str(site.draft().pk), "rrule": WEEKLY, **fields}
    return edit.create(site.acme, given, now=now)


def slots_of(schedule: Schedule) -> list[tuple[str, str]]:
    """(day and hour, state) of each slot that has a row."""
    rows = ScheduleSlot.objects.filter(schedule=schedule).order_by("at")
    return [(f"{slot.at:%d %H}", slot.state) for slot in rows]


def sweep(now: datetime) -> None:
    """The parts of the campaigns' sweep that look at the clock of the test."""
    planned.launch_planned(now)
    schedules_sweep.sweep(now)


def sweep_and_arm(now: datetime) -> None:
    """A sweep, and the workers that arm."""
    sweep(now)
    for campaign in Campaign.objects.filter(state=Campaign.State.ARMING):
        arming.arm(campaign.pk)
