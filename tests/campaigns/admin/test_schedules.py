"""Schedules in the admin: the form, the buttons with their audit entries, and the calendar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse

from campaigns.models import Schedule
from campaigns.schedules import control
from campaigns.schedules.rules.month import month_of, weeks
from campaigns.schedules.upcoming import next_slots
from notifier.values.zones import zone
from tenants.models import AuditLog, User
from tests.campaigns.conftest import Browser, Site, text
from tests.campaigns.schedules.conftest import DAILY, MONDAY, newsletter, reminder

pytestmark = pytest.mark.django_db
Browse = Callable[[User], Browser]
ADD = "/admin/campaigns/schedule/add/"
CALENDAR = "/admin/campaigns/schedule/calendar/"


def url(name: str, schedule: Schedule) -> str:
    return reverse(f"admin:campaigns_schedule_{name}", args=[schedule.pk])


def form(site: Site, **fields: Any) -> dict[str, Any]:
    given = {"tenant": site.acme.pk, "name": "News", "rrule": DAILY, "timezone": "Europe/Vienna", "catch_up": "last"}
    return {**given, **fields}


def acts() -> list[tuple[str, bool]]:
    rows = AuditLog.objects.filter(action__startswith="schedule.").order_by("id").values_list("action", "user_id")
    return [(action.removeprefix("schedule."), user is not None) for action, user in rows]


def test_a_schedule_of_a_campaign_is_created_changed_and_deleted(site: Site, browser: Browse) -> None:
    ben = browser(site.people.ben)
    answer = text(ben.post(ADD, **form(site, campaign=site.draft().pk)))
    schedule = Schedule.objects.get()
    assert (schedule.created_by, schedule.timezone, schedule.rrule) == (site.people.ben, "Europe/Vienna", DAILY)
    assert answer.count("planned") == 10 and "09:00" in answer
    ben.post(url("change", schedule), **form(site, campaign=schedule.campaign_id, rrule="", at="2035-01-01T09:00"))
    schedule.refresh_from_db()
    assert (schedule.rrule, schedule.at, schedule.starts) == ("", "2035-01-01T09:00", "")
    assert schedule.next_at == datetime(2035, 1, 1, 8, tzinfo=UTC)
    ben.post(url("delete", schedule), post="yes")
    assert not Schedule.objects.exists()
    assert acts() == [("create", True), ("change", True), ("delete", True)]


def test_a_schedule_of_a_notification_is_created_and_shown_again(site: Site, browser: Browse) -> None:
    ben = browser(site.people.ben)
    fields = {"notify_recipient": "ada", "notify_template": "spring", "notify_data": '{"what": "May"}'}
    ben.post(ADD, **form(site, **fields))
    schedule = Schedule.objects.get()
    assert schedule.notification == {"recipient": "ada", "template": "spring", "data": {"what": "May"}}
    page = ben.get(url("change", schedule)).content.decode()
    assert 'value="ada"' in page and "&quot;what&quot;: &quot;May&quot;" in page


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rrule": "FREQ=YEARLY"}, "FREQ=YEARLY is not known"),
        ({"cron": "0 9 * * *"}, "Not beside rrule: choose one."),
        ({"rrule": "", "cron": "0 0 9 * * *"}, "Must have five fields"),
        ({"timezone": "Mars/Base"}, "is no IANA time zone"),
        ({"rrule": "", "at": "2020-01-01T09:00"}, "Is in the past"),
        ({"notify_recipient": "nobody", "notify_template": "spring", "campaign": ""}, "There is no recipient"),
        ({"campaign": ""}, "Give a campaign or a notification."),
    ],
)
def test_a_form_that_makes_no_sense_says_so(fields: dict[str, Any], message: str, site: Site, browser: Browse) -> None:
    answer = browser(site.people.ben).post(ADD, **form(site, **{"campaign": site.draft().pk, **fields}))
    assert message in text(answer)
    assert not Schedule.objects.exists()


def test_every_button_leaves_one_entry(site: Site, browser: Browse) -> None:
    schedule, ben = reminder(site, now=datetime.now(UTC), rrule=DAILY), browser(site.people.ben)
    for row in control.CONTROLS:
        at = next_slots(schedule, datetime.now(UTC), 1)[0].at.isoformat()
        ben.post(url(str(row.act), schedule), url("change", schedule), at=at)
        ben.post(url(str(row.act), schedule), url("change", schedule), at=at)
    assert acts()[1:] == [(str(row.act), True) for row in control.CONTROLS]
    schedule.refresh_from_db()
    assert schedule.state == Schedule.State.CANCELLED


def test_a_viewer_looks_only_and_a_stranger_finds_nothing(site: Site, browser: Browse) -> None:
    schedule = reminder(site, now=datetime.now(UTC), rrule=DAILY)
    vic, cleo = browser(site.vic), browser(site.people.cleo)
    assert "Skip the next slot" not in text(vic.get(url("change", schedule)))
    assert vic.post(url("pause", schedule), "/admin/password_change/").status_code == 403
    assert "Reminder" in text(vic.get(CALENDAR))
    assert cleo.post(url("pause", schedule), "/admin/password_change/").status_code == 404
    assert cleo.get(url("change", schedule)).status_code == 302
    assert "Reminder" not in text(cleo.get(CALENDAR))
    schedule.refresh_from_db()
    assert schedule.state == Schedule.State.ACTIVE


def test_the_calendar_has_every_day_of_the_month_with_its_slots(site: Site) -> None:
    daily = newsletter(site, rrule=DAILY, timezone="Europe/Vienna")
    quarter = reminder(site, cron="*/15 * * * *")
    control.skip(site.acme.pk, daily.pk, now=MONDAY)
    schedules = list(Schedule.objects.order_by("id"))
    vienna = zone("Europe/Vienna")
    month = [day for week in weeks(month_of("2035-01", MONDAY.date()), schedules, vienna) for day in week]
    assert (month[0].day.isoformat(), len(month)) == ("2035-01-01", 35)
    first, second = month[0], month[1]
    listed = [(entry.schedule, [(f"{at:%H:%M}", state) for at, state in entry.slots]) for entry in second.entries]
    assert listed == [
        (quarter, [("00:00", "planned"), ("00:15", "planned"), ("00:30", "planned")]),
        (daily, [("09:00", "skipped")]),
    ]
    assert [entry.more for entry in second.entries] == [93, 0]
    # the daily schedule begins a day later, the other one at nine of this day
    assert [(entry.schedule, entry.more) for entry in first.entries] == [(quarter, 60 - 4)]


@pytest.mark.parametrize("month", ["2035-13", "0000-00", "x", "99999-01", "2035-02"])
def test_any_month_opens(month: str, site: Site, browser: Browse) -> None:
    reminder(site, rrule=DAILY)
    answer = browser(site.people.ben).get(f"{CALENDAR}?month={month}")
    assert answer.status_code == 200 and ("February 2035" in text(answer)) is (month == "2035-02")
