"""A person's timeline: what happened, newest first, page by page; and the addresses that one may not use."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from notifier.models import Delivery, Notification, TemplateVersion
from notifier.vocabulary.status import Lane, Status
from tenants import audit
from tenants.admin.pages.preference_choices import Choices, boxes, store
from tenants.admin.timeline.entries import parse_key
from tenants.models import AuditLog, OptInProof, Preference, Recipient, Suppression, Tenant, User
from tests.admin.conftest import NOW, Browser, Site
from tests.admin.lists.many_rows import many_rows
from tests.admin.lists.test_plans import BOUND, LIMITS, look

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]
LogIn = Callable[[User], Browser]


def timeline(recipient: Any) -> str:
    return reverse("admin:tenants_recipient_timeline", args=[recipient.pk])


def texts(answer: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def message(site: Site, at: datetime, **fields: Any) -> Delivery:
    rows = site.acme_rows
    base = {"channel": "email", "address": "zebra@example.com", "lane": Lane.BULK, "status": Status.SENT}
    ids = {"tenant": rows[Tenant], "recipient_id": rows[Recipient].pk, "notification": rows[Notification]}
    return Delivery.objects.create(**{**base, **ids, "due_at": at, "accepted_at": at, **fields})


def test_the_timeline_shows_messages_decisions_receipts_consent_and_changes(site: Site, log_in: LogIn) -> None:
    person = site.acme_rows[Recipient]
    message(site, NOW, status=Status.SUPPRESSED, reason="category_off", settled_at=NOW)
    Suppression.objects.create(tenant=person.tenant, channel="email", address=person.email, cause="bounce")
    OptInProof.objects.filter(recipient=person).update(confirmed_at=NOW)
    audit.record(person.tenant_id, "recipient.changed", person.pk, {"fields": ["locale"]}, audit.Actor(site.people.ana))
    answer = log_in(site.people.ana).get(timeline(person))
    shown = texts(answer)
    for words in (
        "zebra-welcome · push", "zebra event", "the recipient turned this category off",  # a message, a receipt, a rule
        "the address is suppressed", "Preferences changed", "confirmed", "recipient.changed", "locale",
        "Gets nothing on: push.", "zebra@example.com", "Why did this person not get it?",
    ):  # fmt: skip
        assert words in shown, words
    assert "quokka" not in answer.content.decode()
    moments = [entry.at for entry in answer.context["entries"]]
    assert moments == sorted(moments, reverse=True)


def test_pages_by_key_show_each_entry_once_although_many_have_one_moment(site: Site, log_in: LogIn) -> None:
    person, browser = site.acme_rows[Recipient], log_in(site.people.ana)
    made = {message(site, NOW - timedelta(seconds=n // 40)).pk for n in range(80)}
    page, seen, pages = timeline(person) + "?kind=message", list[Any](), 0
    while page:
        answer = browser.get(page)
        seen += [entry.key.id for entry in answer.context["entries"]]
        further, pages = answer.context["further"], pages + 1
        page = timeline(person) + further if further else ""
    assert pages == 3 and len(seen) == len(set(seen)) == 81 and made < set(seen)


def test_filters_and_unreadable_addresses_of_pages(site: Site, log_in: LogIn) -> None:
    person, browser = site.acme_rows[Recipient], log_in(site.people.ana)
    mail = message(site, NOW)
    only = browser.get(timeline(person), {"channel": "email"}).context["entries"]
    assert [entry.key.id for entry in only] == [mail.pk]
    assert {e.kind for e in browser.get(timeline(person), {"kind": "consent"}).context["entries"]} == {"consent"}
    one = browser.get(timeline(person), {"message": str(mail.pk)})
    assert [entry.key.id for entry in one.context["entries"]] == [mail.pk]
    for before in ("1_9_5", f"1_3_{mail.pk}", "x", "1_99_1", "1e400_9_1", "nan_1_1", f"9e99_9_{mail.pk}", "1_3_9" * 9):
        assert browser.get(timeline(person), {"before": before}).status_code == 200
    assert parse_key(f"0_9_{mail.pk}") is not None
    assert browser.get(timeline(person), {"kind": "x", "channel": "y", "message": "z"}).status_code == 200


def test_times_are_the_tenant_s_with_the_recipient_s_beside_them(site: Site, log_in: LogIn) -> None:
    person = site.acme_rows[Recipient]
    Tenant.objects.filter(pk=person.tenant_id).update(timezone="Europe/Berlin")
    Recipient.objects.filter(pk=person.pk).update(timezone="Asia/Tokyo")
    message(site, datetime(2026, 11, 20, 12, tzinfo=UTC))
    shown = texts(log_in(site.people.ana).get(timeline(person)))
    assert "Times: Europe/Berlin" in shown and "2026-11-20 13:00 2026-11-20 21:00 JST" in shown


def test_an_address_is_suppressed_and_allowed_again_with_a_reason(site: Site, log_in: LogIn, vera: User) -> None:
    person, browser = site.acme_rows[Recipient], log_in(site.people.ana)
    page = reverse("admin:recipient_suppress", args=[person.pk])
    rows = Suppression.objects.filter(tenant=person.tenant, channel="email", address=person.email)
    for wrong in (
        {},
        {"channel": "email"},
        {"channel": "email", "cause": "erased"},
        {"channel": "sms", "cause": "manual"},
    ):
        assert browser.post(page, wrong).status_code == 302
        assert not rows.exists()
    for _ in range(2):
        browser.post(page, {"channel": "email", "cause": "complaint"})
    assert rows.get().cause == "complaint"
    browser.post(page, {"channel": "email", "allow": "yes"})
    assert not rows.exists()
    entries = AuditLog.objects.filter(object_id=str(person.pk)).order_by("id")
    assert [entry.action for entry in entries] == ["recipient.address_suppressed", "recipient.address_allowed"]
    assert person.email not in str([entry.detail for entry in entries])
    assert log_in(vera).post(page, {"channel": "email", "cause": "manual"}).status_code == 403
    assert browser.get(page).status_code == 405
    stranger = log_in(site.people.cleo)
    assert stranger.get(timeline(person)).status_code == 404
    assert stranger.post(page, {"channel": "email", "cause": "manual"}).status_code == 404
    assert not rows.exists()


def test_a_timeline_in_large_tables_is_read_by_indexes(site: Site, log_in: LogIn, settings: Any) -> None:
    settings.ADMIN_LIST_LIMITS = LIMITS
    many_rows(site.people.globex, site.globex_rows[TemplateVersion])
    someone = Recipient.objects.get(external_id="u777")
    browser = log_in(site.people.cleo)
    for query in ({}, {"channel": "push"}, {"before": "1795600000.000000_9_" + str(someone.pk)}):
        with CaptureQueriesContext(connection) as queries:
            seen = look(browser, timeline(someone), query, [site.people.globex.pk])
        rows, sql = seen.worst()
        assert rows <= BOUND, (query, rows, sql)
        asked = [q["sql"] for q in queries if q["sql"].startswith("SELECT") and "set_config" not in q["sql"]]
        own = [sql for sql in asked if "django_session" not in sql and not sql.startswith("SELECT set_")]
        assert len(own) <= 14, (len(own), own)


def choices(off: str = "", on: str = "") -> Choices:
    return Choices(off.split(), on.split())


@pytest.mark.parametrize(
    "asks, before, ticked, after",
    [
        (False, choices(), "news:email news:push", choices()),
        (False, choices(), "news:email", choices("news:push")),
        (False, choices(), "", choices("news")),
        (False, choices("news other:push"), "news:push", choices("other:push news:email")),
        (False, choices("news:push gone news:fax"), "news:email news:push", choices("gone news:fax")),
        (True, choices(), "", choices()),
        (True, choices(), "news:push", choices("", "news:push")),
        (True, choices("", "news"), "news:email", choices("", "news:email")),
        (True, choices("news:push"), "news:email", choices("news:push", "news:email")),
        (True, choices("news"), "news:email news:push", choices("", "news")),
        (True, choices("", "news:email news:push"), "news:email news:push", choices("", "news:email news:push")),
    ],
    ids=range(11),
)
def test_boxes_are_stored_as_entries(asks: bool, before: Choices, ticked: str, after: Choices) -> None:
    shown = boxes("news", asks, ["email", "push"], before)
    stored = store("news", asks, shown, set(ticked.split()), before)
    assert (list(stored.off), list(stored.on)) == (list(after.off), list(after.on))
    assert {box.value for box in boxes("news", asks, ["email", "push"], stored) if box.ticked} == set(ticked.split())


def test_preferences_are_edited_by_boxes(site: Site, log_in: LogIn, vera: User) -> None:
    person, browser = site.acme_rows[Recipient], log_in(site.people.ben)
    page = reverse("admin:recipient_preferences", args=[person.pk])
    shown = [box.value for _category, listed in browser.get(page).context["rows"] for box in listed]
    assert "zebra-news:email" in shown and "quokka-news:email" not in shown
    posted = {"shown": [*shown, "push", "email"], "gets": [box for box in shown if box != "zebra-news:email"]}
    wrong = browser.post(page, {**posted, "quiet_from": "late"})
    assert wrong.status_code == 200 and wrong.context["form"].errors
    answer = browser.post(page, {**posted, "channel": ["push"], "quiet_from": "22:00", "quiet_until": "07:00"})
    assert answer.status_code == 302
    stored = Preference.objects.get(recipient=person)
    assert (stored.channels_off, stored.categories_off) == (["email"], ["zebra-news:email"])
    assert "Quiet from 22:00 until 07:00" in texts(browser.get(timeline(person)))
    assert log_in(vera).get(page).status_code == 403
    assert log_in(site.people.cleo).post(page, posted).status_code == 404
