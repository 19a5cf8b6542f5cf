"""Shops with endpoints, and the receivers behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from notifier.delivery.webhooks import subscriptions
from notifier.models import WebhookEndpoint
from notifier.transport import egress
from notifier.webhooks import endpoints
from tenants.audit import Actor
from tenants.models import Tenant
from tests.delivery.build import Shop, a_shop
from tests.webhooks.receiver import Receiver, receiver


@pytest.fixture(autouse=True)
def receivers_on_this_machine(settings: Any) -> Iterator[None]:
    settings.WEBHOOK_HTTP = True
    egress.allow(["127.0.0.0/8"])
    subscriptions.reset()
    yield
    subscriptions.reset()
    egress.allow(settings.INTERNAL_HOSTS)


@pytest.fixture
def shop(db: None) -> Shop:
    shop = a_shop()
    shop.recipient("ada", status="blocked")
    return shop


@pytest.fixture
def new_receiver() -> Iterator[Callable[[], Receiver]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(receiver())


@pytest.fixture
def got(new_receiver: Callable[[], Receiver]) -> Receiver:
    return new_receiver()


def an_endpoint(tenant: Tenant, url: str, **values: Any) -> WebhookEndpoint:
    return endpoints.create(tenant, {"url": url, **values}, Actor())
