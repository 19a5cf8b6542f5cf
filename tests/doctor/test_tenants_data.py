"""Webhooks that do not arrive, quotas that are used up, and rows that should be gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from notifier.models import RequestCount, WebhookEndpoint, WebhookSpool
from tests.delivery.build import Shop, a_shop, an_order
from tests.doctor.conftest import Look

LONG_AGO = datetime.now(UTC) - timedelta(hours=2)


@pytest.fixture
def shop(db: None) -> Shop:
    shop = a_shop()
    shop.recipient()
    return shop


@pytest.mark.parametrize("name", ["webhook endpoints", "webhook spool", "quotas", "retention"])
def test_a_quiet_installation_has_no_finding(name: str, look: Look, shop: Shop) -> None:
    WebhookEndpoint.objects.create(tenant=shop.tenant, url="https://shop.example/works")
    # a person switched it off
    WebhookEndpoint.objects.create(tenant=shop.tenant, url="https://shop.example/off", enabled=False)
    WebhookSpool.objects.create(tenant=shop.tenant, events=[], created_at=LONG_AGO, packed=True)
    shop.accept(an_order())
    assert look(name) == []


def test_an_endpoint_that_was_disabled_and_one_that_fails(look: Look, shop: Shop) -> None:
    gone = WebhookEndpoint.objects.create(
        tenant=shop.tenant, url="https://shop.example/s3cret", enabled=False, disabled_because="It answers 410."
    )
    failing = WebhookEndpoint.objects.create(
        tenant=shop.tenant, url="https://shop.example/fails", failures=7, failing_since=LONG_AGO
    )
    slug = shop.tenant.slug
    assert look("webhook endpoints") == [
        f"warning webhook-disabled: The webhook endpoint {gone.pk} of {slug} was disabled: It answers 410.",
        f"warning webhook-failing: The webhook endpoint {failing.pk} of {slug} fails since "
        f"{LONG_AGO:%Y-%m-%d %H:%M} UTC.",
    ]


def test_events_that_nobody_packs(look: Look, shop: Shop) -> None:
    WebhookSpool.objects.create(tenant=shop.tenant, events=[], created_at=LONG_AGO)
    assert look("webhook spool") == [
        f"error webhook-spool: The oldest event that waits is of {LONG_AGO:%Y-%m-%d %H:%M} UTC."
    ]


def test_a_quota_that_is_used_up(look: Look, shop: Shop) -> None:
    shop.tenant.quotas = {"in_app": {"day": 1, "month": 100}, "sms": {"day": 0}}
    shop.tenant.save()
    shop.accept(an_order())
    assert look("quotas") == [f"warning quota-used: {shop.tenant.slug} has used its quota of 1 in_app messages a day."]


def test_rows_that_should_be_gone(look: Look, shop: Shop, settings: Settings) -> None:
    RequestCount.objects.create(tenant=shop.tenant, at=datetime(2020, 1, 1, tzinfo=UTC), requests=1)
    assert look("retention") == [
        f"warning retention-behind: 1 rows of notifier_requestcount of {shop.tenant.slug} should be gone since days."
    ]
    settings.RETENTION = False
    assert look("retention") == []
