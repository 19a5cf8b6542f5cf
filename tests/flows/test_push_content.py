"""What a template says arrives at each kind of device: by one notification and by a campaign, over the API."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant, content

ORDER = {
    "title": "Order {{ order }}",
    "badge": "unread",
    "sound": "default",
    "priority": "high",
    "ttl": "600",
    "android": {"channel_id": "orders", "tag": "order-{{ order }}"},
    "apns": {"thread_id": "orders", "interruption_level": "{{ level | default: 'active' }}"},
    "webpush": {"icon": "/icon.png"},
    "fcm": {"analytics_label": "orders"},
}
SALE = {**ORDER, "title": "Sale", "android": {"channel_id": "sale"}, "apns": {"thread_id": "{{ recipient.name }}"}}


@pytest.fixture(scope="module")
def shop(new_tenant: Any) -> Tenant:
    tenant: Tenant = new_tenant()
    tenant.publish("news", "order-updates", {"in_app": content()["in_app"]})
    tenant.publish("order", "order-updates", {"push": {"en": ORDER}})
    tenant.publish("sale", "order-updates", {"push": {"en": SALE}})
    tenant.publish("sync", "order-updates", {"push": {"en": {"data": {"sync": "{{ what }}"}}}})
    return tenant


def person(shop: Tenant, name: str, unread: int) -> tuple[str, str]:
    """The tokens of a new recipient's Android and Apple devices. The inbox has so many unread messages."""
    android, apple = f"{shop.tag}{name}", f"00{secrets.token_hex(31)}"
    shop.person(name, android)
    shop.api.request_json("POST", f"/v1/recipients/{name}/devices", {"platform": "apns", "token": apple})
    for _ in range(unread):
        shop.wait_until_final(shop.send(name, "news"))
    return android, apple


def badges(sandbox: Sandbox, android: str, apple: str) -> list[tuple[Any, Any]]:
    fcm = [push["message"]["android"]["notification"]["notification_count"] for push in sandbox.pushes(android)]
    return list(zip(fcm, [push["aps"]["badge"] for push in sandbox.pushes(apple)], strict=True))


def test_blocks_and_the_unread_badge_arrive_by_one_notification_and_by_a_campaign(
    shop: Tenant, sandbox: Sandbox
) -> None:
    ann, ben = person(shop, "ann", unread=2), person(shop, "ben", unread=0)
    shop.wait_until_final(shop.send("ann", "order", data={"order": 17}))
    (single,) = sandbox.pushes(ann[0])
    message = single["message"]
    assert message["notification"] == {"title": "Order 17"}
    assert message["fcm_options"] == {"analytics_label": "orders"}
    assert (message["android"]["priority"], message["android"]["ttl"]) == ("HIGH", "600s")
    assert message["android"]["notification"] == {
        "tag": "order-17", "sound": "default", "notification_count": 2, "channel_id": "orders",
    }  # fmt: skip
    assert message["webpush"]["notification"]["icon"] == "/icon.png"
    (apple,) = sandbox.pushes(ann[1])
    assert apple["aps"] == {
        "alert": {"title": "Order 17"}, "badge": 2, "sound": "default", "thread-id": "orders",
        "interruption-level": "active",
    }  # fmt: skip

    sandbox.reset()
    campaign = shop.draft("sale", shop.list_of(["ann", "ben"]), ["push"])
    campaign.arm()
    campaign.go()
    campaign.wait_until_finished()
    assert badges(sandbox, *ann) == [(2, 2)]
    assert badges(sandbox, *ben) == [(0, 0)]
    assert [push["aps"]["thread-id"] for push in sandbox.pushes(ben[1])] == ["Ben"]


def test_a_data_message_wakes_the_app_and_shows_nothing(shop: Tenant, sandbox: Sandbox) -> None:
    android, apple = person(shop, "eve", unread=0)
    shop.wait_until_final(shop.send("eve", "sync", data={"what": "orders"}))
    (to_android,), (to_apple,) = sandbox.pushes(android), sandbox.pushes(apple)
    assert "notification" not in to_android["message"]
    assert to_android["message"]["data"]["sync"] == to_apple["sync"] == "orders"
    assert to_apple["aps"] == {"content-available": 1}


@pytest.mark.parametrize(
    ("template", "data", "field"),
    [
        ("order", {"order": 17, "level": "loud"}, "content.push.en.apns.interruption_level"),
        ("order", {"order": "x" * 4_000}, "content.push.en.android.tag"),
        ("sync", {"what": "x" * 4_100}, "content.push.en.data"),
    ],
)
def test_a_value_that_no_device_takes_is_refused_and_nothing_is_stored(
    shop: Tenant, template: str, data: dict[str, Any], field: str
) -> None:
    shop.person("zoe", f"{shop.tag}zoe")
    answer = shop.post("zoe", template, data=data)
    assert (answer.status, answer.json["field"]) == (400, field), answer.text
    assert shop.api.request_json("GET", "/v1/notifications?recipient=zoe")["data"] == []
