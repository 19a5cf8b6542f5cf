"""A shop whose category `orders` is gathered, for tests of digests."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from notifier.delivery import Accepted, accept
from notifier.delivery.content import templates
from notifier.delivery.digests.closing import close_due
from notifier.models import Delivery, Digest, DigestSetting, Notification, Template
from notifier.vocabulary.digests import DigestRequest
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Status
from tenants.models import Category
from tests.delivery.build import Shop, a_shop

LIST = "{{ count }}:{% for item in items %} {{ item.order }}{% endfor %}"
EMAIL = {"subject": "Order {{ order }}", "text": "Order {{ order }}"}
DIGEST_EMAIL = {"subject": "{{ count }} orders", "text": LIST}


@dataclass
class DigestShop(Shop):
    """The template `order` goes to the inbox and to email; the digest template `summary` to email."""

    def setting(self, **values: Any) -> DigestSetting:
        category = Category.objects.get(tenant=self.tenant, key="orders")
        template = Template.objects.get(tenant=self.tenant, key="summary")
        return DigestSetting.objects.create(
            **{"tenant": self.tenant, "category": category, "template": template, "window": "10m"} | values
        )

    def order(self, number: str = "7", recipient: str = "ada", **values: Any) -> Accepted:
        outcome = accept(self.tenant.id, [SendRequest(recipient, "order", data={"order": number}, **values)])[0]
        assert isinstance(outcome, Accepted), outcome
        return outcome

    def close(self, after: timedelta = timedelta(days=40)) -> int:
        """Close what is due so long after now."""
        return close_due(accept, datetime.now(UTC) + after)

    def digests(self) -> list[Digest]:
        return list(Digest.objects.filter(tenant=self.tenant).order_by("id"))

    def texts(self) -> list[str]:
        """The texts of the emails that leave."""
        rows = Delivery.objects.filter(tenant=self.tenant, channel="email", status=Status.QUEUED).exclude(content=None)
        return [row.content["text"] for row in rows.order_by("id") if row.content]

    def rows_of(self, notification_id: uuid.UUID) -> dict[str, tuple[str, str]]:
        """channel -> status and reason."""
        rows = Delivery.objects.filter(notification_id=notification_id)
        return {row.channel: (Status(row.status).label, row.reason) for row in rows}

    def sent_digest(self) -> Notification:
        [digest] = self.digests()
        assert digest.notification_id is not None
        return Notification.objects.get(pk=digest.notification_id)


def publish(shop: Shop, key: str, content: dict[str, Any]) -> None:
    category = Category.objects.get(tenant=shop.tenant, key="orders")
    template, _ = Template.objects.get_or_create(tenant=shop.tenant, key=key, defaults={"category": category})
    templates.publish(template, content)


def a_digest_shop(kind: str = "transactional") -> DigestShop:
    shop = DigestShop(a_shop(kind).tenant)
    shop.recipient("ada", email="ada@example.com")
    publish(shop, "order", {"in_app": {"en": {"title": "t", "body": "Order {{ order }}"}}, "email": {"en": EMAIL}})
    publish(shop, "summary", {"email": {"en": DIGEST_EMAIL}})
    return shop


def by_key(key: str = "k", **values: Any) -> DigestRequest:
    return DigestRequest(key, **{"template": "summary", "window": "10m"} | values)
