"""manage.py retention, and the tenant's page."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from notifier.models import Notification
from tenants.models import AuditLog, User
from tests.campaigns.conftest import Browser, text
from tests.delivery.build import Shop, an_order
from tests.fixtures import People
from tests.retention.conftest import deliver_all, keep_for

pytestmark = pytest.mark.django_db(transaction=True)


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("retention", *arguments, stdout=out)
    return out.getvalue()


def test_a_dry_run_says_what_would_go_and_deletes_nothing(shop: Shop, settings: Settings) -> None:
    keep_for(shop.tenant, 7)
    settings.RETENTION_MESSAGES_MAX_DAYS = 0  # everything is too old
    shop.accept(an_order())
    deliver_all()
    printed = said("--dry-run", "--tenant", shop.tenant.slug)
    assert f"{shop.tenant.slug}" in printed and "notifier_notification" in printed and "1 rows" in printed
    assert "notifier_delivery" in printed
    assert Notification.objects.count() == 1
    assert "rows deleted" in said()
    assert Notification.objects.count() == 0


def test_a_tenant_is_given_its_days(shop: Shop) -> None:
    printed = said("--tenant", shop.tenant.slug, "--messages", "30", "--counts", "500")
    assert "messages are kept 30 days (usual: 90, at most 730)" in printed
    assert "counts are kept 500 days" in printed
    shop.tenant.refresh_from_db()
    assert (shop.tenant.keep_messages_days, shop.tenant.keep_counts_days) == (30, 500)
    entry = AuditLog.objects.get(action="tenant.retention_changed")
    assert entry.detail == {"keep_messages_days": 30, "keep_counts_days": 500}
    assert "messages are kept 90 days" in said("--tenant", shop.tenant.slug, "--messages", "default")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tenant", "nobody"], "There is no tenant 'nobody'"),
        (["--messages", "7"], "Say which tenant"),
        (["--tenant", "{slug}", "--messages", "0"], "Must be 1 to 730 days"),
        (["--tenant", "{slug}", "--messages", "week"], "must be a number of days"),
    ],
    ids=["no tenant", "which", "zero", "word"],
)
def test_a_mistake_is_explained(shop: Shop, arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        said(*(argument.format(slug=shop.tenant.slug) for argument in arguments))


def test_nothing_is_deleted_by_hand_while_it_is_off(settings: Settings) -> None:
    settings.RETENTION = False
    with pytest.raises(CommandError, match="RETENTION is off"):
        said()


def test_an_owner_chooses_on_the_tenants_page(people: People, browser: Callable[[User], Browser]) -> None:
    ana = browser(people.ana)
    address = f"/admin/tenants/tenant/{people.acme.pk}/change/"
    assert "Messages: 90 days, since" in text(ana.get(address))
    fields = {"name": "ACME", "default_locale": "en", "timezone": "UTC", "sms_segments": "6", "tracking": "off"}
    refused = ana.post(address, **fields, keep_messages_days="800")
    assert "Must be 1 to 730 days" in text(refused)
    saved = ana.post(address, **fields, keep_messages_days="14")
    people.acme.refresh_from_db()
    assert people.acme.keep_messages_days == 14, text(saved)
    assert AuditLog.objects.filter(action="tenant.retention_changed", user=people.ana).count() == 1
