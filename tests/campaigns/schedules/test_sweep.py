"""The sweep of schedules: each slot runs once, is caught up as the schedule says, and leaves a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.edit import campaigns as campaign_edit
from campaigns.models import Campaign, Schedule, ScheduleSlot, Shard
from campaigns.schedules import control, edit
from campaigns.schedules.catch_up import is_missed
from notifier.models import Delivery, Notification
from tenants import erasure
from tenants.audit import Actor
from tenants.export import export
from tenants.models import Category, Recipient
from tests.broker import Broker, broker
from tests.campaigns.conftest import Site
from tests.campaigns.schedules.conftest import (
    DAILY,
    HOURLY,
    MONDAY,
    REMINDER,
    hours,
    newsletter,
    reminder,
    slots_of,
    sweep,
    sweep_and_arm,
)
from tests.campaigns.workers import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]
State = Schedule.State


def test_three_sweeps_at_once_send_a_notification_once(site: Site, broker: Broker) -> None:
    schedules = [reminder(site, at="2035-01-01T09:00") for _ in range(4)]
    in_parallel(*[lambda: sweep(MONDAY + hours(1))] * 3)
    sweep(MONDAY + hours(1))
    assert Notification.objects.count() == 4 == Delivery.objects.count()
    for schedule in schedules:
        schedule.refresh_from_db()
        assert (slots_of(schedule), schedule.state) == ([("01 09", "done")], State.FINISHED)


def test_three_sweeps_at_once_launch_one_campaign(site: Site, broker: Broker) -> None:
    schedule = newsletter(site)
    early = MONDAY + timedelta(minutes=50)
    sweep(early - timedelta(seconds=1))
    assert slots_of(schedule) == []
    in_parallel(*[lambda: sweep(early)] * 3)
    assert slots_of(schedule) == [("01 09", "preparing")]
    sweep_and_arm(early)
    copy = Campaign.objects.get(slots__schedule=schedule)
    assert (copy.state, copy.name) == ("armed", "News, 2035-01-01 09:00")
    in_parallel(*[lambda: sweep(MONDAY + hours(1))] * 3)
    copy.refresh_from_db()
    assert (copy.state, slots_of(schedule)) == ("running", [("01 09", "done")])
    assert Campaign.objects.count() == 2
    schedule.refresh_from_db()
    assert schedule.next_at == MONDAY + hours(1) + timedelta(days=7)


def test_a_campaign_at_local_time_is_launched_for_the_first_zone_and_leaves_in_waves(
    site: Site, broker: Broker
) -> None:
    Recipient.objects.filter(tenant=site.acme, external_id="ada").update(timezone="Asia/Tokyo")
    schedule = newsletter(site, local=True, not_after_minutes=60)
    at = datetime(2035, 1, 7, 19, tzinfo=UTC)  # Monday, nine o'clock at UTC+14
    sweep_and_arm(at - timedelta(minutes=10))
    copy = Campaign.objects.get(slots__schedule=schedule)
    assert (copy.launch_at, copy.local_time) == (at, datetime(2035, 1, 8, 9))
    assert copy.not_after == datetime(2035, 1, 8, 22, tzinfo=UTC)  # an hour after nine at UTC-12
    waves = Shard.objects.filter(campaign=copy).order_by("number").values_list("not_before", "size")
    assert list(waves) == [(datetime(2035, 1, 8, tzinfo=UTC), 1), (datetime(2035, 1, 8, 9, tzinfo=UTC), 3)]


def test_each_slot_looks_its_audience_up_anew_and_the_lead_time_is_measured(site: Site, broker: Broker) -> None:
    schedule = newsletter(site, rrule=DAILY)
    for day, begins in ((0, 50), (1, 57)):
        sweep(MONDAY + timedelta(days=day, minutes=begins - 1))
        sweep_and_arm(MONDAY + timedelta(days=day, minutes=begins))
        sweep(MONDAY + timedelta(days=day, minutes=begins + 1))
        sweep(MONDAY + timedelta(days=day, hours=1))
        Recipient.objects.create(tenant=site.acme, external_id=f"new-{day}", name="New", locale="en")
    sizes = Campaign.objects.filter(slots__schedule=schedule).order_by("id").values_list("audience_size", flat=True)
    assert list(sizes) == [4, 5]
    schedule.refresh_from_db()
    # armed within a minute: a minute and twice that
    assert schedule.lead_seconds == 180
    assert schedule.wake_at == MONDAY + timedelta(days=2, minutes=57)


@pytest.mark.parametrize(
    ("catch_up", "states"),
    [
        ("all", ["done", "done", "done"]),
        ("last", ["missed", "missed", "done"]),
        ("none", ["missed", "missed", "missed"]),
    ],
)
def test_slots_that_no_beat_saw_are_caught_up(catch_up: str, states: list[str], site: Site, broker: Broker) -> None:
    schedule = reminder(site, cron="0 * * * *", catch_up=catch_up)
    sweep(MONDAY + hours(3.2))
    assert [state for _, state in slots_of(schedule)] == states
    assert Notification.objects.count() == states.count("done")
    sweep(MONDAY + hours(4))
    assert slots_of(schedule)[-1] == ("01 12", "done")


def test_nothing_leaves_while_the_tenant_is_inactive(site: Site, broker: Broker) -> None:
    schedules = [reminder(site, rrule=HOURLY), newsletter(site, rrule=HOURLY)]
    sweep_and_arm(MONDAY + hours(0.9))
    site.acme.active = False
    site.acme.save()
    sweep_and_arm(MONDAY + hours(1))
    sweep_and_arm(MONDAY + hours(2.2))
    assert not Notification.objects.exists() and not Campaign.objects.exclude(launched_at=None).exists()
    assert [slots_of(schedule) for schedule in schedules] == [[], [("01 09", "failed")]]
    site.acme.active = True
    site.acme.save()
    sweep(MONDAY + hours(3))
    assert Notification.objects.count() == 1
    assert slots_of(schedules[0]) == [("01 09", "missed"), ("01 10", "missed"), ("01 11", "done")]


def test_campaigns_of_many_missed_slots_are_not_armed_side_by_side(site: Site, broker: Broker) -> None:
    schedule = newsletter(site, rrule=HOURLY, catch_up="all")
    for minute in range(3):
        sweep(MONDAY + timedelta(days=730, minutes=minute))
    assert ScheduleSlot.objects.filter(schedule=schedule).count() == Campaign.objects.count() - 1 == 20


def test_what_is_missed() -> None:
    at = MONDAY
    on_time, late, much_later = at + timedelta(minutes=5), at + hours(2), at + hours(30)
    following = at + hours(24)
    for catch_up in ("all", "last", "none"):
        assert not is_missed(at, following, on_time, catch_up)
        assert is_missed(at, following, late, catch_up) is (catch_up == "none")
        assert is_missed(at, following, much_later, catch_up) is (catch_up != "all")
        assert is_missed(at, None, much_later, catch_up) is (catch_up == "none")


def test_a_campaign_that_is_not_armed_in_time_leaves_when_it_is(site: Site, broker: Broker) -> None:
    schedule = newsletter(site)
    sweep(MONDAY + hours(1))
    sweep(MONDAY + hours(1.2))
    assert slots_of(schedule) == [("01 09", "preparing")]
    sweep_and_arm(MONDAY + hours(1.2))
    sweep(MONDAY + hours(1.3))
    assert slots_of(schedule) == [("01 09", "done")]


def test_a_campaign_that_is_not_armed_by_not_after_does_not_leave(site: Site, broker: Broker) -> None:
    schedule = newsletter(site, not_after_minutes=30)
    sweep(MONDAY + hours(1))
    sweep(MONDAY + hours(1.6))
    slot = ScheduleSlot.objects.get(schedule=schedule)
    assert (slot.state, slot.reason) == ("failed", "The campaign was not armed in time: its not_after has passed.")
    assert slot.campaign is not None and slot.campaign.state == "draft"


def test_a_schedule_whose_category_is_archived_stops_itself(site: Site, broker: Broker) -> None:
    schedule = newsletter(site, rrule=DAILY)
    category = Category.objects.get(tenant=site.acme)
    category.archived_at = MONDAY
    category.save()
    sweep(MONDAY + hours(1))
    schedule.refresh_from_db()
    assert schedule.state == State.STOPPED and "archived" in schedule.reason
    assert [(slot.state, slot.reason) for slot in schedule.slots.all()] == [("failed", schedule.reason)]
    sweep(MONDAY + hours(30))
    assert len(slots_of(schedule)) == 1 and Campaign.objects.count() == 1
    category.archived_at = None
    category.save()
    control.resume(site.acme.pk, schedule.pk, now=MONDAY + hours(26))
    sweep_and_arm(MONDAY + hours(49))
    assert slots_of(schedule)[1:] == [("03 09", "preparing")]


@pytest.mark.parametrize("gone", ["campaign", "audience", "recipient"])
def test_a_schedule_whose_content_is_gone_stops_itself(gone: str, site: Site, broker: Broker) -> None:
    schedule = reminder(site, rrule=DAILY) if gone == "recipient" else newsletter(site, rrule=DAILY)
    if gone == "campaign":
        Campaign.objects.all().delete()
    elif gone == "audience":
        campaign_edit.update(Campaign.objects.get(), {"audience": None})
    else:
        Recipient.objects.filter(external_id="ada", tenant=site.acme).delete()
    sweep(MONDAY + hours(1))
    schedule.refresh_from_db()
    assert schedule.state == State.STOPPED and schedule.reason
    assert slots_of(schedule) == [("01 09", "failed")]


def test_a_slot_that_cannot_be_sent_says_why_and_the_schedule_goes_on(site: Site, broker: Broker) -> None:
    schedule = newsletter(site, rrule=DAILY)
    Recipient.objects.filter(tenant=site.acme).delete()
    sweep_and_arm(MONDAY + hours(0.9))
    sweep(MONDAY + hours(1))
    slot = ScheduleSlot.objects.get(schedule=schedule)
    assert (slot.state, slot.reason) == ("failed", "Nobody can be reached: the audience is empty.")
    schedule.refresh_from_db()
    assert schedule.state == State.ACTIVE and schedule.next_at == MONDAY + hours(25)


def test_pause_discards_what_is_prepared_and_resume_goes_on_from_now(site: Site, broker: Broker) -> None:
    schedule = newsletter(site, rrule=DAILY)
    sweep_and_arm(MONDAY + hours(0.9))
    assert control.pause(site.acme.pk, schedule.pk, now=MONDAY + hours(0.95))
    assert not control.pause(site.acme.pk, schedule.pk, now=MONDAY + hours(0.95))
    sweep(MONDAY + hours(30))
    assert (slots_of(schedule), Campaign.objects.count()) == ([], 1)
    assert control.resume(site.acme.pk, schedule.pk, now=MONDAY + hours(30))
    sweep_and_arm(MONDAY + hours(49))
    assert slots_of(schedule) == [("03 09", "preparing")]


def test_a_schedule_that_is_resumed_before_its_slot_still_sends_it(site: Site, broker: Broker) -> None:
    schedule = newsletter(site)
    sweep_and_arm(MONDAY + hours(0.9))
    control.pause(site.acme.pk, schedule.pk, now=MONDAY + hours(0.91))
    control.resume(site.acme.pk, schedule.pk, now=MONDAY + hours(0.92))
    sweep_and_arm(MONDAY + hours(0.93))
    sweep(MONDAY + hours(1))
    assert slots_of(schedule) == [("01 09", "done")]


def test_skip_leaves_the_next_slot_out(site: Site, broker: Broker) -> None:
    schedule = reminder(site, rrule=HOURLY)
    assert control.skip(site.acme.pk, schedule.pk, now=MONDAY)
    assert not control.skip(site.acme.pk, schedule.pk, now=MONDAY, at=MONDAY + hours(1))
    sweep(MONDAY + hours(1))
    sweep(MONDAY + hours(2))
    assert slots_of(schedule) == [("01 09", "skipped"), ("01 10", "done")]
    assert Notification.objects.count() == 1


def test_skip_discards_a_campaign_that_is_armed(site: Site, broker: Broker) -> None:
    schedule = newsletter(site, rrule=DAILY)
    sweep_and_arm(MONDAY + hours(0.9))
    assert control.skip(site.acme.pk, schedule.pk, now=MONDAY + hours(0.95))
    sweep_and_arm(MONDAY + hours(1))
    assert (slots_of(schedule), Campaign.objects.count()) == ([("01 09", "skipped")], 1)


def test_a_skipped_last_slot_ends_the_schedule(site: Site, broker: Broker) -> None:
    schedule = reminder(site, rrule=f"{DAILY};COUNT=1")
    control.skip(site.acme.pk, schedule.pk, now=MONDAY)
    sweep(MONDAY)
    schedule.refresh_from_db()
    assert schedule.state == State.FINISHED


def test_a_notification_at_local_time_follows_the_recipients_zone(site: Site, broker: Broker) -> None:
    ada = Recipient.objects.get(external_id="ada", tenant=site.acme)
    ada.timezone = "Asia/Tokyo"
    ada.save()
    schedule = reminder(site, rrule=DAILY, local=True)
    assert f"{schedule.next_at:%d %H}" == "02 00"
    # Ada moves, and the sweep looks every hour
    ada.timezone = "America/New_York"
    ada.save()
    sweep(MONDAY + hours(1))
    schedule.refresh_from_db()
    assert f"{schedule.next_at:%d %H}" == "01 14"


def test_an_erased_persons_schedules_end_and_lose_their_content(site: Site, broker: Broker) -> None:
    ada = Recipient.objects.get(external_id="ada", tenant=site.acme)
    schedule = reminder(site, name="Ada's birthday", rrule=DAILY)
    other = reminder(site, rrule=DAILY, notification={**REMINDER, "recipient": "bob"})
    assert [row["name"] for row in export(ada, None)["schedules"]] == ["Ada's birthday"]
    erasure.request(ada, Actor())
    erasure.run_open(MONDAY)
    schedule.refresh_from_db()
    other.refresh_from_db()
    assert (schedule.state, schedule.name, other.state) == (State.CANCELLED, "(erased)", State.ACTIVE)
    assert schedule.notification == {"recipient": "ada", "template": "spring"}
    sweep(MONDAY + hours(1))
    assert [notification.recipient.external_id for notification in Notification.objects.all()] == ["bob"]


def test_a_change_of_the_time_discards_what_is_prepared(site: Site, broker: Broker) -> None:
    schedule = newsletter(site)
    sweep_and_arm(MONDAY + hours(0.9))
    edit.update(schedule, {"name": "Other"}, now=MONDAY + hours(0.91))
    assert slots_of(schedule) == [("01 09", "preparing")]
    edit.update(schedule, {"cron": "30 9 * * *"}, now=MONDAY + hours(0.92))
    schedule.refresh_from_db()
    assert (schedule.rrule, schedule.cron, slots_of(schedule)) == ("", "30 9 * * *", [])
    assert schedule.next_at == MONDAY + hours(1.5)


def test_a_test_schedule_sends_test_messages(site: Site, broker: Broker) -> None:
    edit.create(
        site.acme, {"name": "Test", "notification": REMINDER, "at": "2035-01-01T09:00"}, mode="test", now=MONDAY
    )
    sweep(MONDAY + hours(1))
    assert Notification.objects.get().mode == "test"
