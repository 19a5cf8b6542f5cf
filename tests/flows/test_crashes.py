"""Nothing is lost when a worker, Redis or PostgreSQL dies in the middle of a campaign. The receiver counts the
messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
import redis
from django.conf import settings

from tests.flows.sandbox import Sandbox
from tests.flows.site import Site
from tests.flows.tenant import Campaign, Person, Tenant
from tests.flows.wait import until

COUNT = 3_000
#: slow answers, so that a campaign lasts some seconds on any machine
LATENCY_MS = 700
#: seconds from the edit of a campaign to its local time: arming takes a few
WAVE_SECONDS = 45
#: messages that a bulk worker may have in flight: the streams of its connections to one provider
WINDOW = settings.PROVIDER_CONNECTIONS * 100
#: connections of one process to a mail server
SMTP_CONNECTIONS = 4


@pytest.fixture(scope="module")
def shop(new_tenant: Callable[[], Tenant]) -> Tenant:
    """A tenant with COUNT people."""
    tenant = new_tenant()
    tenant.import_people(tenant.people(COUNT))
    tenant.publish("offer", "promotions")
    return tenant


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
    """An armed campaign to everybody, on both channels; the provider answers slowly."""
    campaign = shop.draft("offer", shop.everybody())
    campaign.arm()
    sandbox.faults(latency_ms=LATENCY_MS)
    return campaign


def test_a_killed_push_worker_repeats_at_most_its_window_and_loses_nothing(
    site: Site, shop: Tenant, sandbox: Sandbox, people: list[Person], campaign: Campaign
) -> None:
    campaign.go()
    until(lambda: sandbox.count() >= 300, "the first pushes")
    killed = len(site.pids("worker:push.bulk"))
    site.kill("worker:push.bulk")
    assert 0 < sandbox.count() < COUNT
    # in-app does not depend on push: it ends while no push worker runs
    until(lambda: campaign.results()["channels"]["in_app"]["delivered"] == COUNT, "every inbox")
    time.sleep(2)
    site.start("worker:push.bulk")
    results = campaign.wait_until_finished()

    arrivals = sandbox.arrivals(shop.tag)
    assert {a.address for a in arrivals} == {p.token for p in people}
    repeats = len(arrivals) - COUNT
    assert repeats <= WINDOW * killed
    assert len({(a.address, a.delivery) for a in arrivals}) == COUNT, "a repeat must carry the same collapse key"
    assert (results["channels"]["push"]["sent"], results["in_doubt"]) == (COUNT, 0)
    assert is_accounted_once(shop, campaign)
    assert len(shop.inbox("u7").messages()) == 1


def test_a_killed_in_app_worker_stores_each_message_once(site: Site, shop: Tenant) -> None:
    inboxes = [shop.inbox(f"u{n}") for n in range(0, COUNT, 300)]
    before = [len(inbox.messages()) for inbox in inboxes]
    campaign = shop.draft("offer", shop.everybody(), ["in_app"])
    # so slowly that it lasts some seconds
    shop.api.request_json("PATCH", f"/v1/campaigns/{campaign.id}", {"rate_per_s": COUNT / 6})
    campaign.arm()
    campaign.go()
    until(lambda: campaign.results()["channels"]["in_app"]["delivered"] >= 300, "the first inboxes")
    site.kill("worker:in_app.bulk")
    assert campaign.results()["channels"]["in_app"]["delivered"] < COUNT
    site.start("worker:in_app.bulk")
    results = campaign.wait_until_finished()
    assert (results["channels"]["in_app"]["delivered"], results["in_doubt"]) == (COUNT, 0)
    assert [len(inbox.messages()) for inbox in inboxes] == [count + 1 for count in before]


def test_killed_email_workers_repeat_at_most_one_message_a_connection_and_lose_nothing(
    site: Site, new_tenant: Callable[[], Tenant], sandbox: Sandbox
) -> None:
    shop = new_tenant()
    shop.import_people([replace(p, token="", email=f"{p.token}@mail.example") for p in shop.people(COUNT)])
    page = "<p>{{ recipient.name }}</p>" + "<p>Some news.</p>" * 100 + "<p>{{ unsubscribe_url }}</p>"
    shop.publish("news", "promotions", {"email": {"en": {"subject": "News", "html": page}}})
    campaign = shop.draft("news", shop.everybody(), ["email"])
    campaign.arm()
    campaign.go()
    until(lambda: sandbox.count() >= 300, "the first emails")
    killed = len(site.pids("worker:email.bulk"))
    site.kill("worker:email.bulk")
    assert sandbox.count() < COUNT
    site.start("worker:email.bulk")
    results = campaign.wait_until_finished()
    arrivals = sandbox.addresses(shop.tag)
    assert len(arrivals) == COUNT
    assert arrivals.total() - COUNT <= SMTP_CONNECTIONS * killed
    assert (results["sent"], results["in_doubt"]) == (COUNT, 0)


def test_waves_leave_at_the_local_time_though_workers_and_beat_are_killed_between_them(
    site: Site, new_tenant: Callable[[], Tenant], sandbox: Sandbox
) -> None:
    shop = new_tenant()
    shop.publish("offer", "promotions")
    tokens = {zone: [f"{shop.tag}{zone[-1]}{n}" for n in range(5)] for zone in ("Etc/UTC", "Etc/GMT+1")}
    for zone, of_zone in tokens.items():
        for token in of_zone:
            shop.person(token, token)
            shop.api.request_json("PUT", f"/v1/recipients/{token}", {"name": "Ann", "locale": "en", "timezone": zone})
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    due = datetime.now(UTC).replace(microsecond=0, tzinfo=None) + timedelta(seconds=WAVE_SECONDS)
    shop.api.request_json("PATCH", f"/v1/campaigns/{campaign.id}", {"local_time": due.isoformat()})
    campaign.arm()
    campaign.go()
    waves = campaign.results()["waves"]
    assert [wave["messages"] for wave in waves] == [5, 5]
    kill_and_start(site)
    until(lambda: sandbox.count() >= 5, "the first wave")
    arrivals = sandbox.arrivals(shop.tag)
    assert {a.address for a in arrivals} == set(tokens["Etc/UTC"])
    assert min(a.at for a in arrivals) >= due.replace(tzinfo=UTC).timestamp()
    kill_and_start(site)
    seen = time.time()
    until(lambda: time.time() > seen + 4, "some sweeps")
    assert (sandbox.count(), campaign.read()["state"]) == (5, "running")
    assert [wave["messages"] for wave in campaign.results()["waves"]] == [5]
    assert campaign.post("stop").json["stopped"] is True
    push = campaign.wait_until_settled()["channels"]["push"]
    assert (push["sent"], push["cancelled"]) == (5, 5)
    assert sandbox.addresses(shop.tag) == dict.fromkeys(tokens["Etc/UTC"], 1)


def kill_and_start(site: Site) -> None:
    site.kill("worker:push.bulk")
    site.kill("beat")
    site.start("worker:push.bulk", "beat")


def test_after_a_stop_with_a_killed_worker_the_report_is_exact(
    site: Site, shop: Tenant, sandbox: Sandbox, campaign: Campaign
) -> None:
    campaign.go()
    until(lambda: sandbox.count() >= 300, "the first pushes")
    killed = len(site.pids("worker:push.bulk"))
    site.kill("worker:push.bulk")
    assert campaign.post("stop").json["stopped"] is True
    for results in (campaign.results(), campaign.wait_until_settled()):
        push = results["channels"]["push"]
        in_doubt = push["sending"] + push["unknown"]
        assert push["sent"] + in_doubt + push["cancelled"] + push["queued"] == COUNT
        assert push["sent"] <= sandbox.count() <= push["sent"] + in_doubt
        assert in_doubt <= WINDOW * killed
    until(lambda: shop.audit_count("campaign.cancelled", campaign.id), "the campaign to be accounted for")
    assert shop.audit_count("campaign.cancelled", campaign.id) == 1
    assert campaign.results()["channels"]["push"]["unknown"] == push["unknown"]
    assert set(sandbox.addresses(shop.tag).values()) == {1}


def test_a_database_restart_between_retries_and_dead_addresses_loses_nothing(
    site: Site, new_tenant: Callable[[], Tenant], sandbox: Sandbox
) -> None:
    """The statements that the restart interrupts are those that store retries and dead addresses."""
    shop = new_tenant()
    people = [replace(p, token=f"{p.token}{ENDINGS.get(n % 10, '')}") for n, p in enumerate(shop.people(1_000))]
    shop.import_people(people)
    shop.publish("offer", "promotions")
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    shop.api.request_json("PATCH", f"/v1/campaigns/{campaign.id}", {"max_error_percent": 100, "rate_per_s": 200})
    campaign.arm()
    campaign.go()
    until(lambda: sandbox.count() >= 100, "the first pushes")
    site.restart("postgres")
    wait_for_the_api(campaign)
    results = campaign.wait_until_finished()
    reached = {p.token: 1 for p in people if not p.token.endswith("unregistered")}
    assert sandbox.addresses(shop.tag) == reached
    assert results["channels"]["push"]["sent"] == len(reached)
    assert results["channels"]["push"]["failed_by_reason"] == {"dead_address": 1_000 - len(reached)}


#: the endings of tokens, by the last digit of the recipient's number: they choose the sandbox's answer
ENDINGS = {3: "-flaky", 7: "-unregistered"}


def test_a_flushed_redis_in_mid_campaign_loses_and_repeats_nothing(
    site: Site, shop: Tenant, sandbox: Sandbox, people: list[Person], campaign: Campaign
) -> None:
    campaign.go()
    until(lambda: sandbox.count() >= 300, "the first pushes")
    flush(site)
    results = campaign.wait_until_finished()
    assert sandbox.addresses(shop.tag) == {p.token: 1 for p in people}
    assert results["channels"]["in_app"]["delivered"] == COUNT
    assert is_accounted_once(shop, campaign)


def test_a_flushed_redis_while_arming_loses_nothing(
    site: Site, shop: Tenant, sandbox: Sandbox, people: list[Person]
) -> None:
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    site.kill("worker:control")
    assert campaign.post("arm").status == 202
    flush(site)
    site.start("worker:control")
    campaign.wait_until_armed()
    site.kill("worker:control")
    campaign.go()
    flush(site)
    site.start("worker:control")
    campaign.wait_until_finished()
    assert sandbox.addresses(shop.tag) == {p.token: 1 for p in people}


def test_arming_continues_after_the_control_worker_and_beat_were_killed(
    site: Site, shop: Tenant, sandbox: Sandbox, people: list[Person]
) -> None:
    campaign = shop.draft("offer", shop.everybody(), ["push"])
    assert campaign.post("arm").status == 202
    until(lambda: campaign.read()["processed"] or campaign.read()["state"] == "armed", "arming to begin")
    site.kill("worker:control")
    site.kill("beat")
    site.start("worker:control", "beat")
    armed = campaign.wait_until_armed()
    assert (armed["processed"], armed["audience_size"]) == (COUNT, COUNT)
    campaign.go()
    campaign.wait_until_finished()
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
        wait_for_the_api(campaign)
        done.set()
    assert watching.result() <= {200, 503}
    results = campaign.wait_until_finished()
    assert sandbox.addresses(shop.tag) == {p.token: 1 for p in people}
    assert results["channels"]["push"]["sent"] == results["channels"]["in_app"]["delivered"] == COUNT
    assert is_accounted_once(shop, campaign)


def test_without_redis_a_notification_is_accepted_and_leaves_when_redis_is_back(
    site: Site, shop: Tenant, sandbox: Sandbox
) -> None:
    site.stop("valkey")
    sent = shop.send("u1", "offer")
    assert set(shop.statuses(sent).values()) == {"queued"}
    site.start("valkey")
    assert shop.wait_until_final(sent) == {"push": "sent", "in_app": "delivered"}
    assert sandbox.addresses(shop.tag) == {f"{shop.tag}1": 1}


def is_accounted_once(shop: Tenant, campaign: Campaign) -> bool:
    """Whether the campaign is accounted for once, some seconds after its end."""
    until(lambda: shop.audit_count("campaign.finished", campaign.id), "the campaign to be accounted for")
    return shop.audit_count("campaign.finished", campaign.id) == 1


def flush(site: Site) -> None:
    with redis.Redis.from_url(site.settings["REDIS_URL"]) as client:
        client.flushall()


def wait_for_the_api(campaign: Campaign) -> None:
    """Wait until every process and thread of the API answers again."""
    api, path = campaign.tenant.api, f"/v1/campaigns/{campaign.id}"
    until(lambda: all(api.call("GET", path).status == 200 for _ in range(20)), "the API to answer again")


def statuses(campaign: Campaign, done: Event) -> set[int]:
    """Every status with which the API answers until `done`."""
    seen: set[int] = set()
    while not done.is_set():
        seen.add(campaign.tenant.api.call("GET", f"/v1/campaigns/{campaign.id}").status)
    return seen
