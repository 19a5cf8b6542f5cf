"""What follows a slot that failed ahead of its time, or was skipped: the next slot is one that runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from campaigns.edit import campaigns
from campaigns.lifecycle.launching import launch
from campaigns.models import Campaign, Schedule
from campaigns.schedules import control, edit
from campaigns.schedules.upcoming import next_slots
from tenants.models import Category
from tests.broker import Broker, broker
from tests.campaigns.api.conftest import Api
from tests.campaigns.conftest import Site, armed
from tests.campaigns.schedules.conftest import (
    DAILY,
    HOURLY,
    MONDAY,
    hours,
    newsletter,
    reminder,
    slots_of,
    sweep,
    sweep_and_arm,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]

NINE, DAY = MONDAY + hours(1), timedelta(days=1)
TEN_TO, FIVE_TO = NINE - timedelta(minutes=10), NINE - timedelta(minutes=5)
ONCE = {"rrule": "", "at": "2035-01-01T09:00"}


def stopped(site: Site, **fields: Any) -> Schedule:
    """A schedule whose campaign was deleted, seen ten minutes before its slot."""
    schedule = newsletter(site, **fields)
    Campaign.objects.all().delete()
    sweep(TEN_TO)
    schedule.refresh_from_db()
    assert (schedule.state, slots_of(schedule)) == ("stopped", [("01 09", "failed")])
    return schedule


def test_a_campaign_that_is_mended_in_time_leaves_at_its_slot(site: Site, broker: Broker, api: Api) -> None:
    schedule = stopped(site, **ONCE)
    at = f"/v1/schedules/{schedule.pk}"
    assert api("PATCH", at, {"campaign": str(site.draft().pk)})[0] == 200
    assert api("POST", f"{at}/resume")[1] == {"resumed": True, "state": "active"}
    assert api("GET", at)[1]["next_at"] == "2035-01-01T09:00:00Z"
    sweep_and_arm(FIVE_TO)
    sweep(NINE)
    assert (slots_of(schedule), api("GET", at)[1]["state"]) == ([("01 09", "done")], "finished")
    assert Campaign.objects.exclude(launched_at=None).count() == 1


def test_a_slot_of_many_that_is_mended_in_time_leaves(site: Site, broker: Broker) -> None:
    schedule = stopped(site, rrule=DAILY)
    schedule = edit.update(schedule, {"campaign": str(site.draft().pk)}, now=FIVE_TO)
    assert control.resume(site.acme.pk, schedule.pk, now=FIVE_TO)
    sweep_and_arm(FIVE_TO)
    sweep(NINE)
    sweep_and_arm(NINE + DAY)
    assert slots_of(schedule) == [("01 09", "done"), ("02 09", "preparing")]


@pytest.mark.parametrize("fields", [ONCE, {"rrule": DAILY}])
def test_a_schedule_that_is_resumed_when_its_category_is_back_sends_its_slot(
    fields: dict[str, Any], site: Site, broker: Broker
) -> None:
    schedule = newsletter(site, **fields)
    Category.objects.filter(tenant=site.acme).update(archived_at=MONDAY)
    sweep(TEN_TO)
    Category.objects.filter(tenant=site.acme).update(archived_at=None)
    assert control.resume(site.acme.pk, schedule.pk, now=FIVE_TO)
    sweep_and_arm(FIVE_TO)
    sweep(NINE)
    assert slots_of(schedule) == [("01 09", "done")]


def test_a_slot_whose_campaign_an_actor_has_taken_over_does_not_run_again(site: Site, broker: Broker) -> None:
    schedule = newsletter(site, rrule=DAILY)
    sweep_and_arm(TEN_TO)
    copy = campaigns.update(Campaign.objects.get(slots__schedule=schedule), {"data": {"what": "Summer"}})
    sweep(TEN_TO)
    assert launch.go(site.acme.pk, armed(copy).pk)
    schedule = edit.update(schedule, {"campaign": str(site.draft().pk)}, now=FIVE_TO)
    assert schedule.next_at == NINE + DAY
    sweep_and_arm(NINE)
    assert slots_of(schedule) == [("01 09", "failed")]


def test_the_next_slot_after_a_change_is_not_one_that_was_skipped(site: Site, broker: Broker) -> None:
    schedule = reminder(site, rrule=DAILY)
    control.skip(site.acme.pk, schedule.pk, now=MONDAY)
    schedule = edit.update(schedule, {"cron": "0 9 * * *"}, now=MONDAY)
    assert schedule.next_at == NINE + DAY
    assert control.skip(site.acme.pk, schedule.pk, now=MONDAY)
    assert control.skip(site.acme.pk, schedule.pk, at=NINE + 2 * DAY, now=MONDAY)
    sweep(NINE + 3 * DAY)
    assert slots_of(schedule) == [("01 09", "skipped"), ("02 09", "skipped"), ("03 09", "skipped"), ("04 09", "done")]


def test_the_slots_that_come_are_listed_around_one_that_was_skipped(site: Site, broker: Broker) -> None:
    schedule = reminder(site, cron="0 10 * * *")
    control.skip(site.acme.pk, schedule.pk, now=MONDAY)
    schedule = edit.update(schedule, {"rrule": HOURLY}, now=MONDAY)
    coming = [(slot.local[-5:], slot.state) for slot in next_slots(schedule, MONDAY, 3)]
    assert coming == [("09:00", "planned"), ("10:00", "skipped"), ("11:00", "planned")]


def test_an_active_schedule_whose_last_slot_was_skipped_ends_after_a_change(site: Site, broker: Broker) -> None:
    schedule = reminder(site, at="2035-01-01T09:00")
    control.skip(site.acme.pk, schedule.pk, now=MONDAY)
    schedule = edit.update(schedule, {"timezone": "Etc/UTC"}, now=MONDAY)
    assert schedule.next_at is None
    sweep(MONDAY)
    schedule.refresh_from_db()
    assert schedule.state == "finished"


def test_a_pause_before_its_time_of_a_slot_that_is_done_does_not_send_it_again(site: Site, broker: Broker) -> None:
    """Two slots are prepared side by side; an actor launches the campaign of the first."""
    schedule = newsletter(site, rrule=HOURLY)
    Schedule.objects.filter(pk=schedule.pk).update(lead_seconds=2 * 3600, wake_at=MONDAY)
    sweep_and_arm(MONDAY)
    assert slots_of(schedule) == [("01 09", "preparing"), ("01 10", "preparing")]
    launch.go(site.acme.pk, Campaign.objects.filter(slots__at=NINE).get().pk)
    sweep(MONDAY)
    control.pause(site.acme.pk, schedule.pk, now=FIVE_TO)
    assert slots_of(schedule) == [("01 09", "done")]
    control.resume(site.acme.pk, schedule.pk, now=FIVE_TO)
    schedule.refresh_from_db()
    assert schedule.next_at == NINE + hours(1)
    control.skip(site.acme.pk, schedule.pk, now=FIVE_TO)
    assert slots_of(schedule) == [("01 09", "done"), ("01 10", "skipped")]
