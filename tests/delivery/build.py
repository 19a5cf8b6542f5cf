"""A tenant with a template and recipients, for tests of the engine."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from notifier.delivery import Accepted, accept
from notifier.delivery.content import templates
from notifier.errors import NotifierError
from notifier.models import Delivery, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Status
from tenants.models import Category, Recipient, Tenant

TEXT = {"title": "Hi {{ recipient.name }}", "body": "Order {{ order }}"}


@dataclass
class Shop:
    """A tenant whose template `order` goes to the inbox: the whole engine without a network."""

    tenant: Tenant

    def recipient(self, external_id: str = "ada", **values: Any) -> Recipient:
        return Recipient.objects.create(tenant=self.tenant, external_id=external_id, name=external_id, **values)

    def accept(self, *requests: SendRequest) -> list[Accepted | NotifierError]:
        return accept(self.tenant.id, requests)

    def deliveries(self) -> list[Delivery]:
        return list(Delivery.objects.filter(tenant=self.tenant).order_by("seq", "id"))

    def statuses(self) -> list[str]:
        return [Status(d.status).label for d in self.deliveries()]


def a_shop(kind: str = "transactional") -> Shop:
    name = f"shop-{uuid.uuid4().hex[:8]}"
    tenant = Tenant.objects.create(name=name, slug=name)
    category = Category.objects.create(tenant=tenant, key="orders", name="Orders", kind=kind)
    template = Template.objects.create(tenant=tenant, key="order", category=category)
    templates.publish(template, {"in_app": {"en": TEXT}})
    return Shop(tenant)


def an_order(recipient: str = "ada", **values: Any) -> SendRequest:
    return SendRequest(recipient, "order", data={"order": "7"}, **values)
