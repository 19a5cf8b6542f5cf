"""Segments by what recipients have and did: devices, messages of campaigns, opens, days, and groups."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.audience import count_recipients
from campaigns.models import Audience
from notifier.errors import InvalidInput
from notifier.models import Delivery
from notifier.vocabulary.ids import derived_id, id_floor
from notifier.vocabulary.status import Lane, Status
from tenants.models import Device, Recipient, Tenant
from tests.campaigns.audience.test_audience import recipients_of
from tests.fixtures import People

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
#: a campaign of ten days ago, one of today, and one that nobody got
SPRING, TODAY, NONE = (
    str(derived_id(int((NOW - days * DAY).timestamp() * 1000), name))
    for days, name in ((10, "spring"), (0, "today"), (0, "none"))
)

#: devices as (platform, app, days since they were seen, dead)
DEVICES: dict[str, list[tuple[str, str, int, bool]]] = {
    "ada": [("fcm", "shop", 1, False), ("apns", "shop", 50, False)],
    "bob": [("fcm", "news", 40, False)],
    "cy": [("apns", "", 2, True)],
    "dee": [],
}
#: messages as (campaign, days ago, status)
MESSAGES: dict[str, list[tuple[str | None, int, Status]]] = {
    "ada": [(SPRING, 10, Status.CLICKED), (TODAY, 0, Status.SENT)],
    "bob": [(SPRING, 10, Status.OPENED)],
    "cy": [(SPRING, 10, Status.FAILED), (None, 3, Status.OPENED)],
    "dee": [],
}
#: days since the last order; a negative number lies ahead
ORDERS: dict[str, Any] = {"ada": 0, "bob": 30, "cy": -3, "dee": None}


def add(tenant: Tenant, name: str) -> None:
    order = ORDERS[name]
    attributes = {"order": (NOW - order * DAY).isoformat()} if order is not None else {"order": "never"}
    person = Recipient.objects.create(tenant=tenant, external_id=name, attributes=attributes)
    for n, (platform, app, days, dead) in enumerate(DEVICES[name]):
        device = Device.objects.create(
            tenant=tenant,
            recipient=person,
            platform=platform,
            token=f"token-{name}-{n}",
            app=app,
            dead_since=NOW if dead else None,
        )
        Device.objects.filter(pk=device.pk).update(last_seen_at=NOW - days * DAY)
    for campaign, days, status in MESSAGES[name]:
        at = NOW - days * DAY
        Delivery.objects.create(
            id=uuid.UUID(int=id_floor(int(at.timestamp() * 1000)).int + uuid.uuid4().int % 2**60),
            tenant=tenant,
            campaign_id=campaign,
            recipient_id=person.pk,
            channel="push",
            address=f"token-{name}",
            lane=Lane.BULK,
            status=status,
            due_at=at,
            accepted_at=at,
        )


@pytest.fixture
def acme(people: People) -> Tenant:
    for name in DEVICES:
        add(people.acme, name)
        add(people.globex, name)
    return people.acme


def filtered(tenant: Tenant, *entries: Any) -> Audience:
    conditions = [_condition(entry) for entry in entries]
    return Audience(tenant=tenant, name="x", source=Audience.Source.SEGMENT, filter=conditions)


def _condition(entry: Any) -> dict[str, Any]:
    if isinstance(entry, list):
        return {"any": [_condition(one) for one in entry]}
    return dict(zip(("field", "op", "value"), entry, strict=True))


CASES: list[tuple[tuple[str, str, Any], set[str]]] = [
    (("device.platform", "eq", "fcm"), {"ada", "bob"}),
    (("device.platform", "ne", "fcm"), {"cy", "dee"}),
    (("device.platform", "in", ["apns", "fcm"]), {"ada", "bob"}),
    (("device.platform", "eq", "apns"), {"ada"}),
    (("device.platform", "exists", True), {"ada", "bob"}),
    (("device.platform", "exists", False), {"cy", "dee"}),
    (("device.app", "eq", "shop"), {"ada"}),
    (("device.last_seen_at", "within_days", 30), {"ada"}),
    (("device.last_seen_at", "not_within_days", 30), {"bob", "cy", "dee"}),
    (("got_campaign", "eq", SPRING), {"ada", "bob"}),
    (("got_campaign", "ne", SPRING), {"cy", "dee"}),
    (("got_campaign", "in", [TODAY, NONE]), {"ada"}),
    (("got_campaign", "not_in", [TODAY, SPRING]), {"cy", "dee"}),
    (("got_campaign", "eq", NONE), set()),
    (("opened_campaign", "eq", SPRING), {"ada", "bob"}),
    (("opened_campaign", "eq", TODAY), set()),
    (("clicked_campaign", "eq", SPRING), {"ada"}),
    (("opened", "within_days", 5), {"cy"}),
    (("opened", "within_days", 20), {"ada", "bob", "cy"}),
    (("opened", "not_within_days", 20), {"dee"}),
    (("clicked", "within_days", 20), {"ada"}),
    (("attributes.order", "within_days", 7), {"ada"}),
    (("attributes.order", "within_days", 30), {"ada", "bob"}),
    (("attributes.order", "not_within_days", 7), {"bob", "cy", "dee"}),
    (("attributes.order", "days_ago", 30), {"bob"}),
    (("attributes.order", "days_ago", 0), {"ada"}),
    (("attributes.order", "within_next_days", 7), {"ada", "cy"}),
    (("attributes.order", "within_next_days", 2), {"ada"}),
    (("created_at", "within_days", 1), {"ada", "bob", "cy", "dee"}),
    (("created_at", "days_ago", 0), {"ada", "bob", "cy", "dee"}),
    (("created_at", "days_ago", 1), set()),
    (("created_at", "not_within_days", 1), set()),
]


@pytest.mark.parametrize(("condition", "expected"), CASES, ids=range(len(CASES)))
def test_a_condition_on_what_recipients_have_and_did(
    acme: Tenant, condition: tuple[str, str, Any], expected: set[str]
) -> None:
    assert recipients_of(filtered(acme, condition)) == expected


def test_one_condition_of_a_group_must_hold_and_every_entry_of_the_filter(acme: Tenant) -> None:
    either = [("device.platform", "eq", "apns"), ("opened_campaign", "eq", SPRING), ("external_id", "eq", "dee")]
    assert recipients_of(filtered(acme, either)) == {"ada", "bob", "dee"}
    assert recipients_of(filtered(acme, either, ("device.app", "eq", "news"))) == {"bob"}


def test_a_rehearsal_was_got_by_no_recipient(acme: Tenant) -> None:
    Delivery.objects.filter(campaign_id=SPRING).update(mode="silent")
    assert count_recipients(filtered(acme, ("got_campaign", "eq", SPRING))) == 0


WRONG: list[tuple[Any, str]] = [
    ({"any": []}, "filter.0.any"),
    ({"any": {"field": "name"}}, "filter.0.any"),
    ({"any": [{"any": []}]}, "filter.0.any.0.any"),
    ({"any": [], "field": "name"}, "filter.0"),
    ({"any": [{"field": "nme", "op": "eq", "value": "x"}]}, "filter.0.any.0.field"),
    ({"any": [{"field": "name", "op": "eq", "value": "x"}] * 31}, "filter"),
    ({"field": "device.platform", "op": "eq", "value": "pager"}, "filter.0.value"),
    ({"field": "device.platform", "op": "in", "value": ["fcm", ["x"]]}, "filter.0.value.1"),
    ({"field": "device.token", "op": "eq", "value": "x"}, "filter.0.field"),
    ({"field": "device.app", "op": "contains", "value": "x"}, "filter.0.op"),
    ({"field": "got_campaign", "op": "eq", "value": "spring"}, "filter.0.value"),
    ({"field": "got_campaign", "op": "in", "value": [SPRING] * 101}, "filter.0.value"),
    ({"field": "got_campaign", "op": "exists", "value": True}, "filter.0.op"),
    ({"field": "opened", "op": "within_days", "value": -1}, "filter.0.value"),
    ({"field": "opened", "op": "within_days", "value": True}, "filter.0.value"),
    ({"field": "opened", "op": "within_days", "value": 1.5}, "filter.0.value"),
    ({"field": "opened", "op": "within_days", "value": 10**9}, "filter.0.value"),
    ({"field": "opened", "op": "eq", "value": 3}, "filter.0.op"),
    ({"field": "name", "op": "within_days", "value": 3}, "filter.0.op"),
    ({"field": "created_at", "op": "within_next_days", "value": 3}, "filter.0.op"),
]


@pytest.mark.parametrize(("entry", "field"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_entry_names_its_part(people: People, entry: Any, field: str) -> None:
    stored = Audience(tenant=people.acme, name="x", source=Audience.Source.SEGMENT, filter=[entry])
    with pytest.raises(InvalidInput) as refused:
        count_recipients(stored)
    assert refused.value.field == field
