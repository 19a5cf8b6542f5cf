"""A fallback route through the whole stack, whose workers are killed between the steps. The receiver counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant
from tests.flows.test_sms import number, numbers, phone
from tests.flows.wait import until

COUNT = 40
ROUTE = [{"channel": "push"}, {"after": "10m", "unless": "seen", "channel": "sms"}]
CONTENT: dict[str, Any] = {
    "push": {"en": {"title": "Order", "body": "It left"}},
    "in_app": {"en": {"title": "Order", "body": "It left"}},
    "sms": {"en": {"text": "It left"}},
}


@pytest.fixture(autouse=True)
def _workers_run_again(site: Site) -> Iterator[None]:
    yield
    site.start("worker:control", "worker:push", "worker:sms")


def test_sms_leave_once_for_pushes_that_fail_while_workers_are_killed(
    site: Site, tenant: Tenant, sandbox: Sandbox
) -> None:
    tenant.publish("order", "order-updates", CONTENT)
    for n in range(COUNT):
        phone(tenant, f"u{n}", n)
        device = {"platform": "fcm", "token": f"{tenant.tag}{n}-unregistered"}
        tenant.api.request_json("POST", f"/v1/recipients/u{n}/devices", device)
    site.kill("worker:sms")
    items = [{"recipient": f"u{n}", "template": "order", "route": ROUTE} for n in range(COUNT)]
    answer = tenant.api.request_json("POST", "/v1/notifications/bulk", {"items": items})
    ids = [item["id"] for item in answer["items"]]
    site.kill("worker:push")
    site.start("worker:push")
    until(lambda: any(tenant.statuses(each)["push"] == "failed" for each in ids), "the first push to fail")
    site.kill("worker:control")
    site.start("worker:control")
    until(lambda: all(step_of(tenant, each) == "started" for each in ids), "every second step")
    site.kill("worker:control")
    site.start("worker:control", "worker:sms")
    for each in ids:
        assert tenant.wait_until_final(each)["push"] == "failed"
    assert sandbox.addresses(numbers(tenant)) == {number(tenant, n): 1 for n in range(COUNT)}


def step_of(tenant: Tenant, notification: str) -> str:
    """The state of the second step."""
    return str(tenant.notification(notification)["steps"][1]["state"])


def test_an_inbox_that_was_read_and_a_cancelled_route_send_no_sms(site: Site, tenant: Tenant, sandbox: Sandbox) -> None:
    tenant.publish("order", "order-updates", CONTENT)
    route = [{"channel": "in_app"}, {"after": "30s", "channel": "sms"}]
    sent: dict[str, str] = {}
    for n, who in enumerate(("reader", "canceller", "opted-out", "absent")):
        phone(tenant, who, n)
        sent[who] = tenant.send(who, "order", route=route)
    until(lambda: all(tenant.statuses(each)["in_app"] == "delivered" for each in sent.values()), "the inboxes")
    inbox = tenant.inbox("reader")
    inbox.api.request_json("POST", f"/v1/inbox/messages/{inbox.messages()[0]['id']}/read")
    tenant.api.request_json("POST", f"/v1/notifications/{sent['canceller']}/cancel")
    tenant.api.request_json("PUT", "/v1/recipients/opted-out/preferences", {"channels": {"sms": False}})
    ends = {who: tenant.wait_until_final(each)["sms"] for who, each in sent.items()}
    assert ends["absent"] in ("sent", "delivered")
    assert {who: end for who, end in ends.items() if who != "absent"} == {
        "reader": "suppressed", "canceller": "cancelled", "opted-out": "suppressed",
    }  # fmt: skip
    assert [sandbox.addresses(number(tenant, n)).total() for n in range(4)] == [0, 0, 0, 1]
