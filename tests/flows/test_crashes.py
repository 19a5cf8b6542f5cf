"""What is lost when a worker, Redis or PostgreSQL goes in the middle of a campaign: nothing. The receiver counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest
import redis
from django.conf import settings

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Campaign, Person, Tenant
from tests.flows.wait import until

COUNT = 3_000
#: an answer takes so long that a campaign lasts some seconds, whatever the machine
LATENCY_MS = 700
#: messages that a bulk worker may have on the wire: streams of its connections to one provider
WINDOW = settings.PROVIDER_CONNECTIONS * 100


@pytest.fixture(scope="module")
def shop(new_tenant: Callable[[], Tenant]) -> Tenant:
    """A tenant with COUNT people."""
    made = new_tenant()
    made.import_people(made.people(COUNT))
    made.publish("offer", "promotions")
    return made


@pytest.fixture(scope="module")
def people(shop: Tenant) -> list[Person]:
    return shop.people(COUNT)


@pytest.fixture(autouse=True)
def _everything_runs_again(site: Site) -> Iterator[None]:
    yield
    site.start("postgres", "valkey")
    site.start("web", "beat", *(f"worker:{queue.name}" for queue in site.queues))


@pytest.fixture
def campaign(shop: Tenant, sandbox: Sandbox) -> Campaign:
    """Armed, to everybody, on both channels; the provider answers slowly."""
    made = shop.draft("offer", shop.everybody())
    made.arm()
    sandbox.faults(latency_ms=LATENCY_MS)
    return made


def test_a_killed_push_worker_repeats_at_most_its_window_and_loses_nothing(
    site: Site, shop: Tenant, sandbox: Sandbox, people: list[Person], campaign: Campaign
) -> None:
    campaign.go()
    until(lambda: sandbox.count() >= 300, "the first pushes")
    killed = len(site.pids("worker:push.bulk"))
    site.kill("worker:push.bulk")
    assert 0 < sandbox.count() < COUNT
    # in-app waits for nobody: it is through while there is no push worker at all
    until(lambda: campaign.results()["channels"]["in_app"]["delivered"] == COUNT, "everybody's inbox")
    time.sleep(2)
    site.start("worker:push.bulk")
    results = campaign.finished()

    arrivals = sandbox.arrivals(shop.tag)
    assert {a.address for a in arrivals} == {p.token for p in people}
    repeats = len(arrivals) - COUNT
    assert repeats <= WINDOW * killed
    assert len({(a.address, a.delivery) for a in arrivals}) == COUNT, "a repeat must carry the same collapse key"
    assert (results["channels"]["push"]["sent"], results["in_doubt"]) == (COUNT, 0)
    assert recorded_once(shop, campaign)
    assert len(shop.inbox("u7").messages()) == 1


def test_a_stop_after_a_worker_was_killed_leaves_an_exact_account(
    site: Site, shop: Tenant, sandbox: Sandbox, campaign: Campaign
) -> None:
    campaign.go()
    until(lambda: sandbox.count() >= 300, "the first pushes")
    killed = len(site.pids("worker:push.bulk"))
    site.kill("worker:push.bulk")
    assert campaign.press("stop").json["stopped"] is True
    for results in (campaign.results(), campaign.settled()):
        push = results["channels"]["push"]
        in_doubt = push["sending"] + push["unknown"]
        assert push["sent"] + in_doubt + push["cancelled"] + push["queued"] == COUNT
        assert push["sent"] <= sandbox.count() <= push["sent"] + in_doubt
        assert in_doubt <= WINDOW * killed
    until(lambda: shop.recorded("campaign.cancelled", campaign.id), "the books to be closed")
    assert shop.recorded("campaign.cancelled", campaign.id) == 1
    assert campaign.results()["channels"]["push"]["unknown"] == push["unknown"]
    assert set(sandbox.addresses(shop.tag).values()) == {1}


def test_a_database_that_restarts_while_some_answers_are_odd_costs_nothing(
    site: Site, new_tenant: Callable[[], Tenant], sandbox: Sandbox
) -> None:
    """Retries are handed to the ledger and dead addresses are noted in the very statements that are interrupted."""
    shop = new_tenant()
    people = [replace(p, token=f"{p.token}{ENDINGS.get(n % 10, '')}") for n, p in enumerate(shop.people(1_000))]
    shop.import_people(people)
    shop.publish("offer", "promotions")
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    shop.api.ask("PATCH", f"/v1/campaigns/{campaign.id}", {"max_error_percent": 100, "rate_per_s": 200})
    campaign.arm()
    campaign.go()
    until(lambda: sandbox.count() >= 100, "the first pushes")
    site.restart("postgres")
    answers_again(campaign)
    results = campaign.finished()
    reached = {p.token: 1 for p in people if not p.token.endswith("unregistered")}
    assert sandbox.addresses(shop.tag) == reached
    assert results["channels"]["push"]["sent"] == len(reached)
    assert results["channels"]["push"]["failed_by_reason"] == {"dead_address": 1_000 - len(reached)}


#: by the last digit of their place: what the sandbox does to them
ENDINGS = {3: "-flaky", 7: "-unregistered"}


def test_a_flushed_redis_in_mid_campaign_loses_and_repeats_nothing(
    site: Site, shop: Tenant, sandbox: Sandbox, people: list[Person], campaign: Campaign
) -> None:
    campaign.go()
    until(lambda: sandbox.count() >= 300, "the first pushes")
    flush(site)
    results = campaign.finished()
    assert sandbox.addresses(shop.tag) == {p.token: 1 for p in people}
    assert results["channels"]["in_app"]["delivered"] == COUNT
    assert recorded_once(shop, campaign)


def test_a_flushed_redis_while_arming_loses_nothing(
    site: Site, shop: Tenant, sandbox: Sandbox, people: list[Person]
) -> None:
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    site.kill("worker:control")
    assert campaign.press("arm").status == 202
    flush(site)
    site.start("worker:control")
    campaign.armed()
    site.kill("worker:control")
    campaign.go()
    flush(site)
    site.start("worker:control")
    campaign.finished()
    assert sandbox.addresses(shop.tag) == {p.token: 1 for p in people}


def test_arming_goes_on_after_control_worker_and_clock_were_killed(
    site: Site, shop: Tenant, sandbox: Sandbox, people: list[Person]
) -> None:
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    assert campaign.press("arm").status == 202
    until(lambda: campaign.see()["processed"] or campaign.see()["state"] == "armed", "arming to begin")
    site.kill("worker:control")
    site.kill("beat")
    site.start("worker:control", "beat")
    armed = campaign.armed()
    assert (armed["processed"], armed["audience_size"]) == (COUNT, COUNT)
    campaign.go()
    campaign.finished()
    assert sandbox.addresses(shop.tag) == {p.token: 1 for p in people}


def test_a_restarted_database_in_mid_campaign_loses_and_repeats_nothing(
    site: Site, shop: Tenant, sandbox: Sandbox, people: list[Person], campaign: Campaign
) -> None:
    campaign.go()
    until(lambda: sandbox.count() >= 300, "the first pushes")
    done = Event()
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(statuses, campaign, done)
        site.restart("postgres")
        answers_again(campaign)
        done.set()
    assert watching.result() <= {200, 503}
    results = campaign.finished()
    assert sandbox.addresses(shop.tag) == {p.token: 1 for p in people}
    assert results["channels"]["push"]["sent"] == results["channels"]["in_app"]["delivered"] == COUNT
    assert recorded_once(shop, campaign)


def test_without_redis_a_notification_is_accepted_and_leaves_when_redis_is_back(
    site: Site, shop: Tenant, sandbox: Sandbox
) -> None:
    site.stop("valkey")
    sent = shop.send("u1", "offer")
    assert set(shop.statuses(sent).values()) == {"queued"}
    site.start("valkey")
    assert shop.ended(sent) == {"push": "sent", "in_app": "delivered"}
    assert sandbox.addresses(shop.tag) == {f"{shop.tag}1": 1}


def recorded_once(shop: Tenant, campaign: Campaign) -> bool:
    """The books are closed some seconds after the end, once."""
    until(lambda: shop.recorded("campaign.finished", campaign.id), "the books to be closed")
    return shop.recorded("campaign.finished", campaign.id) == 1


def flush(site: Site) -> None:
    with redis.Redis.from_url(site.settings["REDIS_URL"]) as client:
        client.flushall()


def answers_again(campaign: Campaign) -> None:
    """Whichever of its threads and processes is asked."""
    api, path = campaign.tenant.api, f"/v1/campaigns/{campaign.id}"
    until(lambda: all(api.call("GET", path).status == 200 for _ in range(20)), "the API to answer again")


def statuses(campaign: Campaign, done: Event) -> set[int]:
    """Every status that the API answers with until then."""
    seen: set[int] = set()
    while not done.is_set():
        seen.add(campaign.tenant.api.call("GET", f"/v1/campaigns/{campaign.id}").status)
    return seen
