"""Digests over HTTP: the feed gets each item, the phone gets one digest, also when workers are killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Tenant, content
from tests.flows.wait import until

SUMMARY = {"push": {"en": {"title": "{{ count }} orders", "body": "{% for i in items %}{{ i.order }} {% endfor %}"}}}


@pytest.fixture
def shop(tenant: Tenant) -> Tenant:
    """A tenant whose category `order-updates` is gathered for 4 seconds."""
    tenant.publish("order", "order-updates", content("Order {{ order }}"))
    tenant.publish("summary", "order-updates", SUMMARY)
    setting = {"template": "summary", "window": "4s"}
    answer = tenant.api.call("PUT", "/v1/categories/order-updates/digest", setting)
    assert answer.status == 201, answer.text
    return tenant


@pytest.fixture
def _control_runs_again(site: Site) -> Iterator[None]:
    yield
    site.start("beat", "worker:control")


def test_the_feed_gets_each_item_and_the_phone_one_digest(shop: Tenant, sandbox: Sandbox) -> None:
    phone = shop.person("ann", f"{shop.tag}ann").token
    sent = [
        shop.send("ann", "order", data={"order": "A"}),
        shop.send("ann", "order", data={"order": "B"}, channels=["push"]),
        shop.send("ann", "order", data={"order": "C"}),
    ]
    shop.api.request_json("POST", f"/v1/notifications/{sent[1]}/cancel")
    until(lambda: sandbox.arrivals(shop.tag), "the digest")
    assert [shop.wait_until_final(pk)["push"] for pk in sent] == ["suppressed", "cancelled", "suppressed"]
    assert [(a.address, a.title) for a in sandbox.arrivals(shop.tag)] == [(phone, "2 orders")]
    assert [p["message"]["notification"]["body"] for p in sandbox.pushes(phone)] == ["A C "]
    assert {message["title"] for message in shop.inbox("ann").messages()} == {"Order A", "Order C"}
    [row] = [d for d in shop.notification(sent[0])["deliveries"] if d["channel"] == "push"]
    digest = row["detail"].removeprefix("notification ")
    assert [item["order"] for item in shop.notification(digest)["data"]["items"]] == ["A", "C"]


@pytest.mark.usefixtures("_control_runs_again")
def test_a_killed_sweep_leaves_exactly_one_digest_for_each_person(site: Site, shop: Tenant, sandbox: Sandbox) -> None:
    people = shop.people(300)
    shop.import_people(people)
    for start in (0, 150):
        items = [
            {"recipient": p.external_id, "template": "order", "channels": ["push"], "data": {"order": n}}
            for p in people[start : start + 150]
            for n in ("A", "B")
        ]
        assert shop.api.request_json("POST", "/v1/notifications/bulk", {"items": items})["refused"] == 0
    for _ in range(2):
        before = sandbox.count()
        site.kill("worker:control")
        site.start("worker:control")
        wait_for_further(sandbox, shop, before)
    until(lambda: len(sandbox.addresses(shop.tag)) == 300, "all digests")
    assert sandbox.addresses(shop.tag) == Counter(p.token for p in people)
    assert {a.title for a in sandbox.arrivals(shop.tag)} == {"2 orders"}


def wait_for_further(sandbox: Sandbox, shop: Tenant, before: int) -> None:
    """Wait until a digest has arrived since, or all have."""
    until(lambda: sandbox.count() > before or len(sandbox.addresses(shop.tag)) == 300, "a digest")
