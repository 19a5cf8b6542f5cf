"""/v1/events: what an app reports of its messages."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.delivery.engagement.hits import Hit, unpack
from notifier.models import Delivery, EngagementBatch
from notifier.vocabulary.status import Mode
from tests.api.conftest import ApiSite, payload
from tests.fixtures import Api, api_key

AT = "2026-01-31T09:00:00Z"


@pytest.fixture
def push(site: ApiSite) -> str:
    """The id of a push to Dora."""
    accepted = site.acme("POST", "/v1/notifications", payload())
    return next(str(d["id"]) for d in accepted.body["deliveries"] if d["channel"] == "push")


def stored() -> list[tuple[uuid.UUID, str, Hit]]:
    rows = EngagementBatch.objects.order_by("channel")
    return [(row.tenant_id, row.channel, hit) for row in rows for hit in unpack(row.events)]


def test_events_are_stored_by_channel(site: ApiSite, push: str) -> None:
    in_app = str(Delivery.objects.get(channel="in_app").pk)
    events = [
        {"delivery": push, "kind": "delivered", "at": AT},
        {"delivery": uuid.UUID(push).hex, "kind": "clicked", "at": AT, "url": "acme://orders/7"},
        {"delivery": in_app, "kind": "opened", "at": "2026-01-31T10:00:00+01:00"},
    ]
    got = site.acme("POST", "/v1/events", {"events": events})
    assert (got.status, got.body["accepted"], got.body["refused"]) == (202, 3, 0)
    at, acme = datetime(2026, 1, 31, 9, tzinfo=UTC).timestamp(), site.people.acme.pk
    assert stored() == [
        (acme, "in_app", Hit("opened", at, delivery=uuid.UUID(in_app).hex)),
        (acme, "push", Hit("delivered", at, delivery=uuid.UUID(push).hex)),
        (acme, "push", Hit("clicked", at, delivery=uuid.UUID(push).hex, url="acme://orders/7")),
    ]


def test_each_event_is_refused_by_itself(site: ApiSite, push: str) -> None:
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    events: list[Any] = [
        {"delivery": push, "kind": "opened"},
        {"delivery": str(uuid.uuid4()), "kind": "opened"},
        {"delivery": "x", "kind": "opened"},
        {"delivery": push, "kind": "bounced"},
        {"delivery": push, "kind": "opened", "at": "yesterday"},
        {"delivery": push, "kind": "opened", "at": future},
        {"delivery": push, "kind": "opened", "person": "dora"},
        {"kind": "opened"},
        7,
    ]
    got = site.acme("POST", "/v1/events", {"events": events})
    assert (got.status, got.body["accepted"], got.body["refused"]) == (207, 1, 8)
    assert [item["status"] for item in got.body["items"]] == [202, 404, 400, 400, 400, 400, 400, 400, 400]
    fields = [item.get("problem", {}).get("field") for item in got.body["items"]]
    assert fields == [None, "delivery", "delivery", "kind", "at", "at", "person", "delivery", None]
    assert len(stored()) == 1


def test_another_tenants_delivery_does_not_exist(site: ApiSite, push: str) -> None:
    got = site.globex("POST", "/v1/events", {"events": [{"delivery": push, "kind": "opened"}]})
    assert (got.status, [item["status"] for item in got.body["items"]]) == (207, [404])
    assert stored() == []


def test_a_test_key_reports_on_messages_of_test_keys_only(site: ApiSite, push: str) -> None:
    test_key = Api(api_key(site.people.acme, "*", mode=Mode.TEST))
    events = {"events": [{"delivery": push, "kind": "opened"}]}
    assert test_key("POST", "/v1/events", events).status == 207
    Delivery.objects.filter(pk=push).update(mode=Mode.TEST)
    assert test_key("POST", "/v1/events", events).status == 202
    assert site.acme("POST", "/v1/events", events).status == 207


@pytest.mark.parametrize(
    "body", [{}, {"events": []}, {"events": {}}, {"events": [{}] * 1001}, [], {"events": [{}], "x": 1}]
)
def test_a_body_that_is_no_list_of_1_to_1000_is_refused(site: ApiSite, body: Any) -> None:
    got = site.acme("POST", "/v1/events", body)
    assert got.status == 400 and got.body["field"] in ("events", "x")
