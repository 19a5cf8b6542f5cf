"""The tenant ACME with the recipient Dora, her phone, a category and a template; the tenant Globex with Zoe.

Both tenants call the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from notifier.delivery.content import templates
from notifier.models import Template
from tenants.models import Category, Device, Recipient
from tests.fixtures import Api, People

CONTENT: dict[str, Any] = {
    "push": {"en": {"title": "Order {{ order }}", "body": "Hi {{ recipient.name }}"}},
    "in_app": {"en": {"title": "Order {{ order }}", "body": "Hi {{ recipient.name }}"}},
}


@dataclass(frozen=True)
class ApiSite:
    people: People
    acme: Api
    globex: Api
    anonymous: Api
    dora: Recipient
    phone: Device
    zoe: Recipient  #: of Globex


@pytest.fixture
def site(people: People, api: Callable[[str | None], Api]) -> ApiSite:
    news = Category.objects.create(tenant=people.acme, key="news", name="News")
    template = Template.objects.create(tenant=people.acme, key="shipped", category=news)
    templates.publish(template, CONTENT)
    dora = Recipient.objects.create(tenant=people.acme, external_id="dora", name="Dora")
    phone = Device.objects.create(tenant=people.acme, recipient=dora, token="token-of-dora")
    zoe = Recipient.objects.create(tenant=people.globex, external_id="zoe", name="Zoe")
    return ApiSite(people, api(people.acme_key), api(people.globex_key), api(None), dora, phone, zoe)


def payload(**fields: Any) -> dict[str, Any]:
    """The body of a notification that is accepted, changed by `fields`."""
    return {"recipient": "dora", "template": "shipped", "data": {"order": "42"}, **fields}
