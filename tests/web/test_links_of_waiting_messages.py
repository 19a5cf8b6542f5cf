"""The link to the preferences still works when a message leaves that waited."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.delivery import Accepted, accept, waiting
from notifier.delivery.content import templates
from notifier.delivery.content.links.preferences_link import read_token
from notifier.delivery.planning.send_time import FARTHEST
from notifier.models import Delivery, Notification, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.routes import RouteStep
from tenants.models import Category, Preference
from tests.delivery.build import a_shop

DAY = timedelta(days=1)
#: a link lives for so long after its message left
LIFE = 30 * DAY - timedelta(minutes=1)
ROUTE = (RouteStep(("in_app",)), *(RouteStep((name,), "7d", "seen") for name in ("email", "sms")))


def end_of_link(delivery: Delivery) -> datetime:
    token = re.search(r"/preferences/([\w-]+)", str(delivery.content))
    assert token is not None, delivery.content
    link = read_token(token[1])
    assert link is not None
    return link.ends_at


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "snoozed", "channel", "waits"),
    [
        ({"channels": ("email",)}, None, "email", None),
        ({"channels": ("email",), "send_at": 100 * DAY}, None, "email", 100 * DAY),
        ({"channels": ("email",)}, 300 * DAY, "email", 300 * DAY),
        ({"channels": ("email",), "send_at": 100 * DAY}, 300 * DAY, "email", 300 * DAY),
        ({"route": ROUTE}, None, "in_app", None),
        ({"route": ROUTE}, None, "email", 7 * DAY),
        ({"route": ROUTE}, None, "sms", 14 * DAY),
        ({"route": ROUTE, "send_at": 100 * DAY}, None, "sms", 114 * DAY),
    ],
)
def test_the_link_of_a_message_works_for_30_days_after_it_left_also_when_it_was_moved_by_a_year(
    values: dict[str, Any], snoozed: timedelta | None, channel: str, waits: timedelta | None
) -> None:
    shop = a_shop("marketing")
    text = "{{ preferences_url }}"
    content = {
        "email": {"en": {"subject": "News", "text": text}},
        "sms": {"en": {"text": text}},
        "in_app": {"en": {"title": "News", "body": text}},
    }
    shop.tenant.sms_segments = 5
    shop.tenant.save()
    category = Category.objects.get(tenant=shop.tenant)
    templates.publish(Template.objects.create(tenant=shop.tenant, key="news", category=category), content)
    ann = shop.recipient("ann", email="ann@mail.example", phone="+491701234567")
    now = datetime.now(UTC)
    if snoozed:
        Preference.objects.create(tenant=shop.tenant, recipient=ann, snoozed_until=now + snoozed)
    if "send_at" in values:
        values = {**values, "send_at": now + values["send_at"]}
    [outcome] = accept(shop.tenant.id, [SendRequest("ann", "news", **values)])
    assert isinstance(outcome, Accepted), outcome
    delivery = Delivery.objects.get(notification_id=outcome.notification_id, channel=channel)
    if waits is None:
        assert LIFE <= end_of_link(delivery) - now <= 31 * DAY
        return
    assert end_of_link(delivery) - now >= waits + FARTHEST + LIFE
    if "send_at" in values:
        moved = now + FARTHEST - DAY
        notification = Notification.objects.get(pk=outcome.notification_id)
        waiting.reschedule(notification, "live", moved, None)
        delivery.refresh_from_db()
        assert end_of_link(delivery) - delivery.due_at >= LIFE
