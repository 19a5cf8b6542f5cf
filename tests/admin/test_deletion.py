"""Deleting in the admin: a row in use stays, the page names the rows that use it, and no check reads them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from campaigns.models import Audience, AudienceMember, Campaign
from inbox.models import InboxMessage
from notifier.models import Delivery, Notification, ProviderAccount, Template, TemplateVersion
from notifier.vocabulary.status import Lane, Status
from tenants.models import ApiKey, AuditLog, Category, Device, Member, Preference, Recipient, Suppression, Tenant, User
from tests.admin.conftest import Browser, Site, url

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]


def delete(browser: Browser, row: Model) -> Any:
    """By the row's own page: what it says, then whether a POST does it."""
    asked = browser.get(url(type(row), "delete", row.pk))
    return asked, browser.post(url(type(row), "delete", row.pk), {"post": "yes"})


def delete_ticked(browser: Browser, *rows: Model) -> Any:
    """By the list's action, confirmed."""
    chosen = {"action": "delete_selected", "_selected_action": [str(row.pk) for row in rows], "post": "yes"}
    return browser.post(url(type(rows[0]), "changelist"), chosen)


USED = [
    (Template, "1 notification, 1 digest setting"),
    (Recipient, "1 opt-in proof, 1 notification, 1 delivery, 1 inbox message"),
]


@pytest.mark.parametrize(("model", "by"), USED, ids=lambda case: getattr(case, "__name__", ""))
def test_a_row_in_use_is_not_deleted_and_the_page_names_its_uses(
    model: Any, by: str, site: Site, log_in: LogIn
) -> None:
    browser, row = log_in(site.people.ana), site.acme_rows[model]
    asked, done = delete(browser, row)
    for page in (asked, done, delete_ticked(browser, row)):
        assert page.status_code == 200 and f"In use by {by}." in page.content.decode()
    assert model.objects.filter(pk=row.pk).exists()


def test_a_template_of_a_campaign_and_an_audience_of_one_stay(site: Site, log_in: LogIn) -> None:
    tenant, browser = site.people.acme, log_in(site.people.ben)
    template = Template.objects.create(tenant=tenant, key="unsent")
    audience = Audience.objects.create(tenant=tenant, name="all", source="segment")
    for name in ("one", "two"):
        Campaign.objects.create(tenant=tenant, name=name, template=template, audience=audience, channels=["push"])
    for row in (template, audience):
        assert "In use by 2 campaigns." in delete(browser, row)[1].content.decode()
        assert "In use by 2 campaigns." in delete_ticked(browser, row).content.decode()
        row.refresh_from_db()


def test_an_account_with_waiting_messages_stays_and_one_with_old_ones_goes(site: Site, log_in: LogIn) -> None:
    account = ProviderAccount.objects.create(
        tenant=site.people.acme, name="mine", provider="fcm", channel="push", platform="fcm"
    )
    delivery = Delivery.objects.filter(pk=site.acme_rows[Delivery].pk)
    delivery.update(account_id=account.pk, status=Status.QUEUED)
    browser = log_in(site.people.ana)
    assert "In use by 1 waiting deliveries." in delete(browser, account)[1].content.decode()
    delivery.update(status=Status.SENT)
    assert delete(browser, account)[1].status_code == 302
    assert not ProviderAccount.objects.filter(pk=account.pk).exists()


def test_an_unused_row_is_deleted_with_the_rows_that_belong_to_it(site: Site, log_in: LogIn) -> None:
    tenant, browser = site.people.acme, log_in(site.people.ana)
    person = Recipient.objects.create(tenant=tenant, external_id="unsent")
    Device.objects.create(tenant=tenant, recipient=person, token="t" * 30)
    Preference.objects.create(tenant=tenant, recipient=person)
    template = Template.objects.create(tenant=tenant, key="unsent")
    TemplateVersion.objects.create(tenant=tenant, template=template, number=1, content={})
    audience = Audience.objects.create(tenant=tenant, name="ids", source="list")
    AudienceMember.objects.create(tenant=tenant, audience=audience, external_id="x")
    category = Category.objects.create(tenant=tenant, key="unused")
    member = Member.objects.get(tenant=tenant, user=site.people.ben)
    for row in (person, template, audience, category, member, site.acme_rows[Suppression], site.acme_rows[Device]):
        asked, done = delete(browser, row)
        assert (asked.status_code, done.status_code) == (200, 302), row
        assert not type(row).objects.filter(pk=row.pk).exists()
        # campaigns.audit names what an actor did in the imperative
        verb = "delete" if row is audience else "deleted"
        assert AuditLog.objects.filter(action=f"{row._meta.model_name}.{verb}", object_id=str(row.pk)).exists()
    assert not Device.objects.filter(recipient=person).exists()
    assert not AudienceMember.objects.filter(audience_id=audience.pk).exists()


def test_records_are_never_deleted(site: Site, log_in: LogIn, olga: User) -> None:
    for model in (Tenant, ApiKey, Notification, Delivery, InboxMessage, AuditLog):
        row = site.acme_rows[model]
        assert delete(log_in(olga), row)[1].status_code == 403
        delete_ticked(log_in(olga), row)
        assert model.objects.filter(pk=row.pk).exists()


def test_the_action_deletes_ticked_rows_and_never_the_whole_list(site: Site, log_in: LogIn) -> None:
    people = [Recipient.objects.create(tenant=site.people.acme, external_id=f"u{n}") for n in range(3)]
    chosen = {"action": "delete_selected", "_selected_action": [str(people[0].pk)], "post": "yes", "select_across": "1"}
    log_in(site.people.ana).post(url(Recipient, "changelist"), chosen)
    left = Recipient.objects.filter(pk__in=[p.pk for p in people])
    assert {p.external_id for p in left} == {"u1", "u2"}


def test_many_uses_are_counted_by_an_index_and_no_row_is_loaded(site: Site, log_in: LogIn) -> None:
    """50,000 notifications of one template; another that nothing uses, beside them."""
    version = site.acme_rows[TemplateVersion]
    unused = Template.objects.create(tenant=site.people.acme, key="unsent")
    TemplateVersion.objects.create(tenant=site.people.acme, template=unused, number=1, content={})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notifier_notification (id, tenant_id, recipient_id, version_id, category, mode, lane, data,"
            " group_key, created_at) SELECT gen_random_uuid(), %s, %s, %s, '', 'live', %s, '{}', '', now()"
            " FROM generate_series(1, 50000)",
            [site.people.acme.pk, site.acme_rows[Recipient].pk, version.pk, Lane.BULK],
        )
        cursor.execute("ANALYZE notifier_notification")
    browser = log_in(site.people.ana)
    for row, text in (
        (site.acme_rows[Template], "In use by more than 100 notifications, 1 digest setting."),
        (unused, "Are you sure"),
    ):
        with CaptureQueriesContext(connection) as queries:
            page = browser.get(url(Template, "delete", row.pk))
        assert text in page.content.decode()
        asked = [q["sql"] for q in queries if 'FROM "notifier_notification"' in q["sql"]]
        assert asked and all("LIMIT" in sql for sql in asked)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            for sql in asked:
                cursor.execute(f"EXPLAIN {sql}")
                plan = "\n".join(line for (line,) in cursor.fetchall())
                assert "notification_version" in plan and "Seq Scan" not in plan
            cursor.execute("SET LOCAL enable_seqscan = on")


def test_a_draft_campaign_is_deleted_by_its_page_and_by_the_list_and_no_other(site: Site, log_in: LogIn) -> None:
    tenant, browser = site.people.acme, log_in(site.people.ben)
    template = Template.objects.create(tenant=tenant, key="unsent")
    made = [
        Campaign.objects.create(tenant=tenant, name=state, template=template, channels=["push"], state=state)
        for state in ("draft", "draft", "armed", "finished")
    ]
    one, other, armed, finished = made
    assert delete(browser, one)[1].status_code == 302
    for row in (armed, finished):
        asked, done = delete(browser, row)
        assert (asked.status_code, done.status_code) == (403, 403)
        assert "Only a draft can be deleted" in delete_ticked(browser, other, row).content.decode()
    assert delete_ticked(browser, other).status_code == 302
    assert set(Campaign.objects.filter(template=template)) == {armed, finished}
    deleted = AuditLog.objects.filter(action__startswith="campaign.delete").values_list("action", "object_id")
    assert set(deleted) == {("campaign.delete", str(one.pk)), ("campaign.delete", str(other.pk))}
