"""Consent that changes between acceptance and sending."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from notifier.delivery.send import deliver
from notifier.models import Delivery
from notifier.vocabulary.status import Lane
from tenants.models import Preference
from tests.delivery.build import Shop, an_order

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_opt_out_holds_once_the_process_may_not_believe_its_last_query_any_more(
    shop: Shop, settings: Settings
) -> None:
    settings.CONSENT_BELIEVED_SECONDS = 0.25
    ada = shop.recipient("ada the second")
    shop.accept(an_order())
    deliver("in_app", [Lane.TRANSACTIONAL])
    shop.accept(an_order(ada.external_id))
    Preference.objects.create(tenant=shop.tenant, recipient=ada, channels_off=["in_app"])
    time.sleep(settings.CONSENT_BELIEVED_SECONDS)
    deliver("in_app", [Lane.TRANSACTIONAL])
    assert shop.statuses() == ["delivered", "suppressed"]


def test_an_opt_out_holds_for_a_message_that_waited_long(shop: Shop) -> None:
    ada = shop.recipient("ada the second")
    shop.accept(an_order(ada.external_id))
    Delivery.objects.filter(tenant=shop.tenant).update(accepted_at=datetime.now(UTC) - timedelta(hours=1))
    Preference.objects.create(tenant=shop.tenant, recipient=ada, channels_off=["in_app"])
    deliver("in_app", [Lane.TRANSACTIONAL])
    assert shop.statuses() == ["suppressed"]
