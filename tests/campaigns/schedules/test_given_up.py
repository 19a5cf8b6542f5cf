"""A slot that failed ahead of its time: its campaign does not launch itself any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from campaigns import arming
from campaigns.edit import campaigns
from campaigns.lifecycle.launching import launch
from campaigns.models import Campaign, Schedule
from campaigns.schedules import control
from tenants.models import AuditLog, Recipient
from tests.broker import Broker, broker
from tests.campaigns.conftest import Site, armed
from tests.campaigns.schedules.conftest import DAILY, MONDAY, hours, newsletter, slots_of, sweep, sweep_and_arm

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]

NINE = MONDAY + hours(1)


def before(minutes: int) -> timedelta:
    return timedelta(minutes=-minutes)


def copy_of(schedule: Schedule) -> Campaign:
    return Campaign.objects.get(slots__schedule=schedule)


@pytest.mark.parametrize("end", [control.pause, control.cancel])
def test_a_campaign_that_an_author_mended_does_not_leave_after_its_schedule_has_ended(
    end: Callable[..., bool], site: Site, broker: Broker
) -> None:
    schedule = newsletter(site, rrule=DAILY)
    sweep_and_arm(NINE + before(10))
    campaigns.update(copy_of(schedule), {"data": {"what": "Summer"}})
    sweep(NINE + before(8))
    assert slots_of(schedule) == [("01 09", "failed")]
    copy = armed(copy_of(schedule))
    end(site.acme.pk, schedule.pk, now=NINE + before(5))
    sweep(NINE)
    copy.refresh_from_db()
    assert (copy.state, copy.launch_at, copy.launch_failure) == ("armed", None, "")
    assert slots_of(schedule) == [("01 09", "failed")]
    assert AuditLog.objects.filter(action="campaign.unplan", object_id=str(copy.pk)).count() == 1
    assert launch.go(site.acme.pk, copy.pk)


def test_a_campaign_whose_arming_failed_and_that_was_mended_in_time_waits_for_an_actor(
    site: Site, broker: Broker
) -> None:
    schedule = newsletter(site, rrule=DAILY)
    Recipient.objects.filter(tenant=site.acme).delete()
    sweep_and_arm(NINE + before(10))
    Recipient.objects.create(tenant=site.acme, external_id="eve", name="Eve", locale="en")
    sweep(NINE + before(9))
    copy = armed(copy_of(schedule))
    sweep(NINE)
    copy.refresh_from_db()
    assert (copy.state, copy.launch_at, slots_of(schedule)) == ("armed", None, [("01 09", "failed")])


def test_a_campaign_that_is_armed_anew_before_the_sweep_looks_leaves_at_its_slot(site: Site, broker: Broker) -> None:
    schedule = newsletter(site, rrule=DAILY)
    sweep_and_arm(NINE + before(10))
    campaigns.update(copy_of(schedule), {"data": {"what": "Summer"}})
    arming.request_arm(copy_of(schedule))
    sweep_and_arm(NINE + before(8))
    sweep(NINE)
    sweep(NINE)
    assert (copy_of(schedule).state, slots_of(schedule)) == ("running", [("01 09", "done")])
