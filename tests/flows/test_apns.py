"""Campaigns and messages to Apple's devices: killed workers, closing connections, dead tokens, a wrong environment. The
receiver counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256

import pytest
from django.conf import settings

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Person, Tenant
from tests.flows.wait import until

COUNT = 2_000
LATENCY_MS = 500
#: messages that a bulk worker may have in flight
WINDOW = settings.PROVIDER_CONNECTIONS * 100
#: first digits of a token -> what the fake APNs does: docs/channels/apns.md
DEAD, DEVELOPMENT = "fff41000", "fffd0000"


def tag(tenant: Tenant) -> str:
    """Digits in all tokens of this tenant, and of no other."""
    return sha256(tenant.tag.encode()).hexdigest()[:16]


def token(tenant: Tenant, number: int, first: str = "") -> str:
    return f"{first}{'0' * 8 if first else ''}{tag(tenant)}{number:0{48 - 2 * len(first)}x}"


def people(tenant: Tenant, count: int, first: str = "") -> list[Person]:
    return [Person(f"{first or 'u'}-{n}", token(tenant, n, first), platform="apns") for n in range(count)]


@pytest.fixture
def shop(tenant: Tenant) -> Tenant:
    tenant.publish("offer", "promotions")
    tenant.publish("order", "order-updates")
    return tenant


@pytest.fixture
def _workers_run_again(site: Site) -> Iterator[None]:
    yield
    site.start(*(f"worker:{queue.name}" for queue in site.queues))


@pytest.mark.usefixtures("_workers_run_again")
def test_killed_workers_and_closing_connections_lose_nothing_and_repeat_what_was_in_flight(
    site: Site, shop: Tenant, sandbox: Sandbox
) -> None:
    everybody = people(shop, COUNT)
    shop.import_people(everybody)
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    campaign.arm()
    sandbox.faults(latency_ms=LATENCY_MS, goaway_every=90, first_streams=1)
    campaign.go()
    until(lambda: sandbox.count() >= 300, "the first pushes")
    killed = len(site.pids("worker:push.bulk"))
    site.kill("worker:push.bulk")
    assert 0 < sandbox.count() < COUNT
    site.start("worker:push.bulk")
    results = campaign.wait_until_finished()

    arrivals = sandbox.arrivals(tag(shop))
    assert {a.address for a in arrivals} == {p.token for p in everybody}
    assert len(arrivals) - COUNT <= WINDOW * killed
    assert len({(a.address, a.delivery) for a in arrivals}) == COUNT, "a repeat must carry the same apns-id"
    assert (results["sent"], results["in_doubt"]) == (COUNT, 0)
    assert sandbox.counters()["apns production"] == len(arrivals)
    assert sandbox.counters().get("apns provider tokens", 0) <= 2, "all workers share one, and one follows after 30 min"


def test_thousands_of_dead_tokens_are_marked_and_not_used_again(shop: Tenant, sandbox: Sandbox) -> None:
    alive, dead = people(shop, 100), people(shop, COUNT, DEAD)
    shop.import_people([*alive, *dead])
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    shop.api.request_json("PATCH", f"/v1/campaigns/{campaign.id}", {"max_dead_percent": 100})
    campaign.arm()
    campaign.go()
    results = campaign.wait_until_finished()
    assert (results["sent"], results["not_sent"]) == (len(alive), COUNT)
    requests = sandbox.requests()
    until(lambda: campaign.read()["accounted_at"], "every dead device to be marked")
    again = shop.draft("offer", shop.everybody(), ["push"])
    assert again.arm()["unreached"] == COUNT
    again.go()
    assert again.wait_until_finished()["sent"] == len(alive)
    assert sandbox.requests() == requests + len(alive)


def test_mostly_dead_tokens_halt_a_campaign_at_its_limit(shop: Tenant, sandbox: Sandbox) -> None:
    shop.import_people(people(shop, COUNT, DEAD))
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    shop.api.request_json("PATCH", f"/v1/campaigns/{campaign.id}", {"rate_per_s": 500})
    campaign.arm()
    campaign.go()
    assert "addresses are dead" in campaign.wait_for_state("paused")["halted"]
    assert sandbox.requests() < COUNT


def test_an_audience_of_the_other_environment_halts_with_the_remedy_and_no_device_dies(
    shop: Tenant, sandbox: Sandbox
) -> None:
    shop.import_people(people(shop, COUNT, DEVELOPMENT))
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    shop.api.request_json("PATCH", f"/v1/campaigns/{campaign.id}", {"rate_per_s": 500})
    campaign.arm()
    campaign.go()
    halted = campaign.wait_for_state("paused")["halted"]
    assert "messages failed" in halted and "400 BadDeviceToken" in halted and "other environment" in halted
    assert sandbox.requests() < COUNT
    assert campaign.results()["not_sent"] and campaign.post("stop").status == 200
    [device] = shop.devices(f"{DEVELOPMENT}-0")
    assert device["dead_since"] is None
    # the account is as good as before
    shop.person("ann", token(shop, 1), "apns")
    assert shop.wait_until_final(shop.send("ann", "order", channels=["push"])) == {"push": "sent"}


def test_a_few_tokens_of_the_other_environment_fail_alone(shop: Tenant, sandbox: Sandbox) -> None:
    good, bad = people(shop, 400), people(shop, 20, DEVELOPMENT)
    shop.import_people([*good, *bad])
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    campaign.arm()
    campaign.go()
    results = campaign.wait_until_finished()
    assert (results["sent"], results["not_sent"]) == (400, 20)
    for n in range(8):  # single messages, too: each of them alone in its batch
        sent = shop.send(f"{DEVELOPMENT}-{n}", "order", channels=["push"])
        assert shop.wait_until_final(sent) == {"push": "failed"}
    assert shop.wait_until_final(shop.send("u-0", "order", channels=["push"])) == {"push": "sent"}
    assert [device["dead_since"] for device in shop.devices(f"{DEVELOPMENT}-0")] == [None]


@pytest.mark.parametrize("kind", ["single", "campaign"])
def test_a_refusal_kills_only_what_was_registered_before_its_time(shop: Tenant, kind: str) -> None:
    """The 410 of `old` names a time before its registration, as of a token that came back to life."""
    tokens = {name: f"fff41000{int(time.time()) + seconds:08x}{tag(shop)}{n:032x}"
              for n, (name, seconds) in enumerate({"old": -300, "new": 3_600}.items())}  # fmt: skip
    for name, text in tokens.items():
        shop.person(name, text, "apns")
    if kind == "single":
        for name in tokens:
            assert shop.wait_until_final(shop.send(name, "order", channels=["push"])) == {"push": "failed"}
    else:
        campaign = shop.draft("offer", shop.everybody(), ["push"])
        campaign.arm()
        campaign.go()
        assert campaign.wait_until_finished()["not_sent"] == 2
    until(lambda: shop.devices("new")[0]["dead_since"] is not None, "the new refusal to kill")
    assert shop.devices("old")[0]["dead_since"] is None
