"""One tenant's flood, or one tenant's slow provider, is that tenant's alone. Compared by order, never by the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.flows.sandbox import Sandbox
from tests.flows.tenant import Tenant, content
from tests.flows.wait import until

FLOOD = 20_000
ITEMS = 1_000
OTHERS = 20


@pytest.fixture
def loud(new_tenant: Callable[[], Tenant], sandbox: Sandbox) -> Tenant:
    made = new_tenant()
    made.publish("order", "order-updates")
    return made


@pytest.fixture
def quiet(new_tenant: Callable[[], Tenant]) -> Tenant:
    """The other tenant, with some people."""
    made = new_tenant()
    made.publish("order", "order-updates")
    for n in range(OTHERS):
        made.person(f"u{n}", f"{made.tag}{n}")
    return made


def test_a_flood_to_one_recipient_does_not_slow_another_tenant(loud: Tenant, quiet: Tenant, sandbox: Sandbox) -> None:
    target = f"{loud.tag}target"
    loud.person("target", target)
    # its messages leave one after another, so the flood lasts longer than all that is sent meanwhile
    sandbox.faults(latency_ms=30)
    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(flood, loud)
        until(lambda: sandbox.addresses(target), "the flood to begin")
        sent = [quiet.send(f"u{n}", "order") for n in range(OTHERS)]
        ended = [quiet.ended(one) for one in sent]
        told = flooding.result()

    assert ended == [{"push": "sent", "in_app": "delivered"}] * OTHERS
    assert sandbox.addresses(quiet.tag) == {f"{quiet.tag}{n}": 1 for n in range(OTHERS)}
    assert set(told) == {"accepted", "queue_full"}
    assert told.total() == FLOOD
    until(lambda: sandbox.addresses(target)[target] == told["accepted"], "the flood to end")
    arrivals = sandbox.arrivals("")
    ours = [place for place, a in enumerate(arrivals) if a.address.startswith(quiet.tag)]
    assert max(ours) < len(arrivals) - 1, "all of them were there before the flood had ended"


def flood(tenant: Tenant) -> Counter[str]:
    """How many were accepted, and how many refused and why."""
    item = {"recipient": "target", "template": "order", "channels": ["push"]}
    told: Counter[str] = Counter()
    for _ in range(FLOOD // ITEMS):
        answer = tenant.api.ask("POST", "/v1/notifications/bulk", {"items": [item] * ITEMS})
        told.update(outcome(each) for each in answer["items"])
    return told


def outcome(item: dict[str, Any]) -> str:
    return "accepted" if item["status"] == 202 else str(item["problem"]["code"])


def test_a_slow_provider_delays_its_own_tenant_only(loud: Tenant, quiet: Tenant, sandbox: Sandbox) -> None:
    sandbox.faults(slow_ms=4_000)
    people = loud.people(300, "slow")
    loud.import_people(people)
    items = [{"recipient": p.external_id, "template": "order", "channels": ["push"]} for p in people]
    loud.api.ask("POST", "/v1/notifications/bulk", {"items": items})
    until(lambda: sandbox.addresses(loud.tag), "the slow ones to begin")
    # few, so that they are through long before the first slow answer, on any machine
    for one in [quiet.send(f"u{n}", "order", channels=["push"]) for n in range(5)]:
        assert quiet.ended(one) == {"push": "sent"}
    # theirs were answered while the slow tenant's first messages still waited for an answer
    waiting = loud.api.ask("GET", "/v1/notifications?limit=100")["data"]
    assert {d["status"] for n in waiting for d in n["deliveries"]} & {"queued", "claimed", "sending"}
    until(lambda: len(sandbox.addresses(loud.tag)) == len(people), "the slow ones")
    assert set(sandbox.addresses(loud.tag).values()) == {1}


def test_slow_campaigns_of_one_tenant_do_not_stand_before_anothers_arming(loud: Tenant, quiet: Tenant) -> None:
    loud.import_people(loud.people(40))
    slow = "{% for i in (1..6000) %}{% if recipient.name == 'x' %}{% endif %}{% endfor %}Hi"
    loud.publish("slow", "order-updates", content(title=slow))
    audience = loud.everybody()
    campaigns = [loud.draft("slow", audience, channels=["in_app"]) for _ in range(8)]
    for campaign in campaigns:
        campaign.press("arm")
    ours = quiet.draft("order", quiet.everybody(), channels=["in_app"])
    ours.arm()
    left = [campaign for campaign in campaigns if campaign.see()["state"] == "arming"]
    assert left, "it was armed before the eight that were there before it"
    until(lambda: all(campaign.see()["state"] != "arming" for campaign in campaigns), "the slow ones to end", 300)
