"""What is lost when a worker, Redis or PostgreSQL goes in the middle of a campaign: nothing. The receiver counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import redis

from notifier.channels import channel
from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Campaign, Person, Tenant
from tests.flows.wait import until

COUNT = 3_000
#: an answer takes so long that a campaign lasts some seconds, whatever the machine
LATENCY_MS = 700


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
    assert repeats <= channel("push").window * killed
    assert len({(a.address, a.delivery) for a in arrivals}) == COUNT, "a repeat must carry the same collapse key"
    assert (results["channels"]["push"]["sent"], results["in_doubt"]) == (COUNT, 0)
    assert shop.recorded("campaign.finished", campaign.id) == 1
    assert len(shop.inbox("u7").messages()) == 1


def test_a_flushed_redis_in_mid_campaign_loses_and_repeats_nothing(
    site: Site, shop: Tenant, sandbox: Sandbox, people: list[Person], campaign: Campaign
) -> None:
    campaign.go()
    until(lambda: sandbox.count() >= 300, "the first pushes")
    flush(site)
    results = campaign.finished()
    assert sandbox.addresses(shop.tag) == {p.token: 1 for p in people}
    assert results["channels"]["in_app"]["delivered"] == COUNT
    assert shop.recorded("campaign.finished", campaign.id) == 1


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
    until(lambda: campaign.see()["prepared"] or campaign.see()["state"] == "armed", "arming to begin")
    site.kill("worker:control")
    site.kill("beat")
    site.start("worker:control", "beat")
    armed = campaign.armed()
    assert (armed["prepared"], armed["audience_size"]) == (COUNT, COUNT)
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
        until(lambda: shop.api.call("GET", f"/v1/campaigns/{campaign.id}").status == 200, "the API to answer again")
        done.set()
    assert watching.result() <= {200, 503}
    results = campaign.finished()
    assert sandbox.addresses(shop.tag) == {p.token: 1 for p in people}
    assert results["channels"]["push"]["sent"] == results["channels"]["in_app"]["delivered"] == COUNT
    assert shop.recorded("campaign.finished", campaign.id) == 1


def test_without_redis_a_notification_is_accepted_and_leaves_when_redis_is_back(
    site: Site, shop: Tenant, sandbox: Sandbox
) -> None:
    site.stop("valkey")
    sent = shop.send("u1", "offer")
    assert set(shop.statuses(sent).values()) == {"queued"}
    site.start("valkey")
    assert shop.ended(sent) == {"push": "sent", "in_app": "delivered"}
    assert sandbox.addresses(shop.tag) == {f"{shop.tag}1": 1}


def flush(site: Site) -> None:
    with redis.Redis.from_url(site.settings["REDIS_URL"]) as client:
        client.flushall()


def statuses(campaign: Campaign, done: Event) -> set[int]:
    """Every status that the API answers with until then."""
    seen: set[int] = set()
    while not done.is_set():
        seen.add(campaign.tenant.api.call("GET", f"/v1/campaigns/{campaign.id}").status)
    return seen
