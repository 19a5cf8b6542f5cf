"""Push for the page that holds a recipient token, under the web role: key, devices, events."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from inbox.http import push_api
from inbox.tokens import mint
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.engagement.hits import unpack
from notifier.models import EngagementBatch, Template
from notifier.sandbox.web_push import subscriptions
from tenants.models import Category, Device, Recipient, Tenant
from tests.fixtures import People
from tests.inbox.test_api import Browser

KEY_ID = "k3yId-_8"


def subscription(**options: Any) -> dict[str, Any]:
    """What `PushSubscription.toJSON()` returns in a browser."""
    return subscriptions.create({"host": "fcm.googleapis.com", **options}, "")


class PushPage(Browser):
    def delete(self, path: str, **body: Any) -> Any:
        with transaction.atomic():
            return self.client.delete(f"/v1/inbox/{path}", body, "application/json", headers=self.headers)


@pytest.fixture
def web_role(people: People, dora: Recipient, emil: Recipient, as_web: Callable[[], Any]) -> Iterator[None]:
    opened: AbstractContextManager[None] = as_web()
    with opened:
        yield


@pytest.fixture
def doras(dora: Recipient) -> PushPage:
    return PushPage(mint(dora)[0])


@pytest.fixture
def emils(emil: Recipient) -> PushPage:
    return PushPage(mint(emil)[0])


def tokens_of(recipient: Recipient) -> list[str]:
    return list(Device.objects.filter(recipient=recipient).order_by("id").values_list("token", flat=True))


def test_the_key_is_a_public_key_of_the_tenants_account(doras: PushPage, web_role: None) -> None:
    answer = doras.get("push-key").json()
    point = base64.urlsafe_b64decode(answer["public_key"] + "=")
    assert (len(point), point[0], len(answer["key_id"])) == (65, 4, 8)
    assert doras.get("push-key").json() == answer


def test_a_live_tenant_without_a_web_push_account_has_no_key(
    doras: PushPage, people: People, as_web: Callable[[], Any]
) -> None:
    Tenant.objects.filter(pk=people.acme.pk).update(sandbox=False)
    registry.reset()
    with as_web():
        answer = doras.get("push-key")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_push_key")


def test_a_browser_is_registered_and_repeating_it_is_safe(doras: PushPage, dora: Recipient, web_role: None) -> None:
    browser = subscription()
    first = doras.put("devices", subscription=browser | {"key_id": KEY_ID}, app="shop")
    assert (first.status_code, first.json()["platform"], first.json()["app"]) == (201, "webpush", "shop")
    keys = browser["keys"]
    assert tokens_of(dora) == [f"{browser['endpoint']}#{keys['p256dh']}.{keys['auth']}.{KEY_ID}"]
    again = doras.put("devices", token=tokens_of(dora)[0])
    assert (again.status_code, again.json()["id"], again.json()["app"]) == (200, first.json()["id"], "shop")
    assert again.json()["last_seen_at"] > first.json()["last_seen_at"]


def test_a_browser_belongs_to_the_person_who_registered_it_last(
    doras: PushPage, emils: PushPage, dora: Recipient, emil: Recipient, web_role: None
) -> None:
    browser = subscription()
    doras.put("devices", subscription=browser)
    assert emils.put("devices", subscription=browser).status_code == 200
    assert (len(tokens_of(dora)), len(tokens_of(emil))) == (0, 1)
    assert doras.delete("devices", subscription=browser).status_code == 204
    assert len(tokens_of(emil)) == 1
    assert emils.delete("devices", subscription=browser).status_code == 204
    assert emils.delete("devices", subscription=browser).status_code == 204
    assert tokens_of(emil) == []


def test_new_keys_of_a_subscription_take_the_place_of_its_old_ones(
    doras: PushPage, dora: Recipient, web_role: None
) -> None:
    browser = subscription()
    doras.put("devices", subscription=browser | {"key_id": "old-key1"})
    doras.put("devices", subscription=browser | {"key_id": "new-key1"})
    assert [token[-8:] for token in tokens_of(dora)] == ["new-key1"]


@pytest.mark.parametrize("named_first", [False, True], ids=["bare first", "key first"])
def test_a_subscription_is_one_persons_device_whether_or_not_it_names_its_key(
    doras: PushPage, emils: PushPage, dora: Recipient, emil: Recipient, web_role: None, named_first: bool
) -> None:
    browser = subscription()
    named = browser | {"key_id": doras.get("push-key").json()["key_id"]}
    first, second = (named, browser) if named_first else (browser, named)
    assert doras.put("devices", subscription=first, app="shop").status_code == 201
    assert emils.put("devices", subscription=second).json()["app"] == "shop"
    assert tokens_of(dora) == []
    assert [token.rpartition(".")[2] for token in tokens_of(emil)] == [named["key_id"]]


def test_a_phone_is_registered_and_removed_by_its_token(doras: PushPage, dora: Recipient, web_role: None) -> None:
    assert doras.put("devices", platform="fcm", token="cX1:APA91b-doras-phone").status_code == 201
    assert doras.delete("devices", platform="fcm", token="cX1:APA91b-doras").status_code == 204
    assert tokens_of(dora) == ["cX1:APA91b-doras-phone"]
    doras.delete("devices", platform="fcm", token="cX1:APA91b-doras-phone")
    assert tokens_of(dora) == []


VALID = subscription()
UNFIT: list[tuple[dict[str, Any], str]] = [
    ({}, "token"),
    ({"token": "cX1:APA91b", "subscription": VALID}, "token"),
    ({"subscription": VALID["endpoint"]}, "subscription"),
    ({"subscription": {}}, "token"),
    ({"subscription": VALID | {"keys": {"p256dh": "AAAA", "auth": "AAAA"}}}, "token"),
    ({"subscription": VALID | {"endpoint": "https://127.0.0.1/x"}}, "token"),
    ({"subscription": VALID | {"endpoint": "https://attacker.example/x"}}, "token"),
    ({"subscription": VALID | {"more": "x" * 5000}}, "subscription"),
    ({"platform": "fcm", "subscription": VALID}, "subscription"),
    ({"platform": "pager", "token": "12345678"}, "platform"),
    ({"token": 5}, "token"),
    ({"subscription": VALID, "recipient": "emil"}, "recipient"),
    ({"subscription": VALID, "app": "x" * 101}, "app"),
]


@pytest.mark.parametrize(("body", "field"), UNFIT, ids=range(len(UNFIT)))
def test_an_unfit_device_is_named_and_nothing_is_stored(
    doras: PushPage, web_role: None, body: dict[str, Any], field: str
) -> None:
    answer = doras.put("devices", **body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not Device.objects.exists()


def test_of_too_many_devices_the_longest_unused_are_removed(
    doras: PushPage, dora: Recipient, people: People, as_web: Callable[[], Any]
) -> None:
    phone = Device.objects.create(tenant=people.acme, recipient=dora, platform="fcm", token="her-old-phone")
    Device.objects.bulk_create(
        Device(tenant=people.acme, recipient=dora, platform="webpush", token=f"https://x.example/{n}#a.b")
        for n in range(push_api.MOST_DEVICES)
    )
    unused, dead = tokens_of(dora)[7:9]
    Device.objects.filter(token=unused).update(last_seen_at=datetime.now(UTC) - timedelta(days=9))
    with as_web():
        doras.put("devices", subscription=subscription())
    assert len(tokens_of(dora)) == push_api.MOST_DEVICES + 1
    assert unused not in tokens_of(dora)
    Device.objects.filter(token=dead).update(dead_since=datetime.now(UTC))
    with as_web():
        doras.put("devices", subscription=subscription())
    assert dead not in tokens_of(dora)
    assert phone.token in tokens_of(dora)


def test_pages_of_any_origin_may_ask(web_role: None) -> None:
    answer = Client().options("/v1/inbox/devices")
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (204, "*")
    assert "DELETE" in answer["Access-Control-Allow-Methods"]
    assert Client().put("/v1/inbox/devices").status_code == 401


def test_a_person_reports_only_on_messages_of_their_own(
    doras: PushPage, emils: PushPage, people: People, dora: Recipient, as_web: Callable[[], Any]
) -> None:
    category = Category.objects.create(tenant=people.acme, key="news", name="News")
    template = Template.objects.create(tenant=people.acme, key="hello", category=category)
    templates.publish(template, {"in_app": {"en": {"title": "Hello", "body": "World"}}})
    accepted = PushPage(people.acme_key).client.post(
        "/v1/notifications",
        {"recipient": "dora", "template": "hello"},
        "application/json",
        headers={"Authorization": f"Bearer {people.acme_key}"},
    )
    events = [{"delivery": accepted.json()["deliveries"][0]["id"], "kind": "opened"}]
    with as_web():
        refused = emils.post("events", events=events)
        assert (refused.status_code, refused.json()["items"][0]["status"]) == (207, 404)
        assert doras.post("events", events=events).status_code == 202
        assert doras.post("events", events=[]).json()["field"] == "events"
    assert [hit.kind for row in EngagementBatch.objects.all() for hit in unpack(row.events)] == ["opened"]
