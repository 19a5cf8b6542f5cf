"""Web Push through the whole engine to the sandbox's push service, which decrypts what its browsers receive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import Settings

from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.models import Template
from notifier.providers.webpush import services
from notifier.providers.webpush.subscription import check_token
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane
from tenants.models import Device
from tenants.people import devices
from tests.delivery.build import Shop, a_shop
from tests.sandbox.process import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)
PUSH = {
    "title": "Hi {{ recipient.name }}", "body": "Order {{ order }}", "link": "https://shop.example/{{ order }}",
    "webpush": {"icon": "/icon.png"},
}  # fmt: skip


@pytest.fixture
def shop(sandbox: Sandbox, settings: Settings) -> Any:
    """A shop whose template is a push, and whose browsers are those of the sandbox."""
    settings.SANDBOX_URL, settings.SANDBOX_CA = sandbox.url, sandbox.ca
    before = services.allowed()
    services.allow([], sandbox.url)
    shop = a_shop()
    templates.publish(Template.objects.get(tenant=shop.tenant), {"push": {"en": PUSH}})
    yield shop
    services.allow(*before)


def a_browser(shop: Shop, sandbox: Sandbox, name: str, **wish: Any) -> Device:
    """A recipient with a browser whose keys the sandbox has."""
    subscription = json.dumps(sandbox.post("/_webpush/subscriptions", wish))
    device_id, _ = devices.register(shop.recipient(name), "webpush", check_token(subscription))
    return Device.objects.get(pk=device_id)


def test_the_browser_reads_a_single_notification(shop: Shop, sandbox: Sandbox) -> None:
    for name, wish in (("ada", {}), ("bob", {"host": "updates.push.services.mozilla.com"})):
        a_browser(shop, sandbox, name, **wish)
        shop.accept(SendRequest(name, "order", data={"order": "7"}))
    deliver("push", (Lane.TRANSACTIONAL,))
    assert shop.statuses() == ["sent", "sent"]
    messages = sandbox.report(detail=10)["messages"]
    assert sorted(message["title"] for message in messages) == ["Hi ada", "Hi bob"]
    assert {message["delivery"] for message in messages} == {str(row.id) for row in shop.deliveries()}
