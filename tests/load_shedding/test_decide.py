"""What the facts lead to, in a table; and a look that writes it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from structlog.testing import capture_logs

from notifier.delivery.accounts import rate_limits
from notifier.delivery.infra import redis
from notifier.delivery.ledger import claims
from notifier.delivery.ledger.leases import lease_seconds
from notifier.delivery.load_shedding import reports
from notifier.delivery.load_shedding.decide import (
    ACCEPT,
    BACKLOG,
    BEGIN_AFTER,
    CALM,
    END_AFTER,
    LOOP_LAG,
    REST,
    TOO_LONG,
    Bounds,
    Decided,
    channels_without_worker,
    decide,
    find_cause,
)
from notifier.delivery.load_shedding.facts import Facts, Wait, gather, pause_of
from notifier.delivery.load_shedding.reports import WebReport
from notifier.delivery.load_shedding.watch import watch
from notifier.models import Delivery, ProviderAccount
from notifier.vocabulary.load import LONGEST_SHEDDING, Level, Switch, Work
from notifier.vocabulary.status import Lane, Status
from tenants.load_shedding import may_run, read_state, reset
from tenants.load_shedding.switch import set_switch
from tenants.models import LoadShedding
from tests.delivery.build import Shop, a_shop, an_order

BOUNDS = Bounds(wait=5.0, accept=1.0, loop_lag=0.5)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def waiting(*seconds: float, tenants: int = 2, web: Sequence[WebReport] = ()) -> Facts:
    """Each tenant has waited for so many seconds, in a channel that has a worker."""
    return Facts([Wait(i, "push", value) for i, value in enumerate(seconds)], tenants, web, {"push"})


CALM_FACTS = waiting()
OVERLOAD = waiting(9.0, 6.0)


def web(*processes: tuple[float, int, float], tenants: int = 2) -> list[WebReport]:
    return [WebReport(accept, requests, tenants, loop_lag) for accept, requests, loop_lag in processes]


@pytest.mark.parametrize(
    ("waits", "tenants", "reports", "cause"),
    [
        ([], 2, [], ""),
        ([4.0, 4.0], 2, [], ""),
        ([9.0, 6.0], 2, [], BACKLOG),
        ([900.0], 2, [], ""),
        ([900.0], 1, [], BACKLOG),
        ([9.0, 9.0, 1.0, 1.0, 1.0], 2, [], ""),
        ([9.0, 9.0, 1.0, 1.0], 2, [], BACKLOG),
        ([], 2, web((1.5, 500, 0.0)), ACCEPT),
        ([], 2, web((1.5, 19, 0.0)), ""),
        ([], 2, web((9.0, 500, 0.0), (0.1, 500, 0.0), (0.1, 500, 0.0)), ""),
        ([], 2, web((9.0, 500, 0.0), (9.0, 500, 0.0), (0.1, 500, 0.0)), ACCEPT),
        ([], 2, web((9.0, 500, 0.0), tenants=1), ""),
        ([], 1, web((9.0, 500, 0.0), tenants=1), ACCEPT),
        ([], 2, web((0.0, 0, 0.6)), LOOP_LAG),
    ],
)
def test_causes(waits: Sequence[float], tenants: int, reports: Sequence[WebReport], cause: str) -> None:
    assert find_cause(waiting(*waits, tenants=tenants, web=reports), BOUNDS) == cause


@pytest.mark.parametrize(
    ("waits", "served", "cause", "without_worker"),
    [
        ([Wait(1, "sms", 900.0), Wait(2, "sms", 900.0)], {"push"}, "", {"sms"}),
        ([Wait(1, "sms", 900.0), Wait(2, "sms", 900.0)], {"sms"}, BACKLOG, set()),
        ([Wait(1, "sms", 900.0), Wait(2, "email", 900.0)], {"push"}, "", {"email", "sms"}),
        ([Wait(1, "sms", 900.0), Wait(2, "push", 900.0)], {"push"}, "", {"sms"}),
        ([Wait(1, "sms", 900.0), Wait(1, "push", 9.0), Wait(2, "push", 9.0)], {"push"}, BACKLOG, {"sms"}),
        (
            [Wait(1, "sms", 3.0), Wait(1, "push", 9.0), Wait(2, "push", 9.0), Wait(3, "sms", 3.0)],
            {"push"},
            BACKLOG,
            set(),
        ),
    ],
    ids=["no worker", "a worker", "two channels", "late in one of two", "an overload, too", "no worker is not calm"],
)
def test_a_channel_without_a_worker_is_no_overload(
    waits: Sequence[Wait], served: set[str], cause: str, without_worker: set[str]
) -> None:
    facts = Facts(waits, 2, served=served)
    assert (find_cause(facts, BOUNDS), channels_without_worker(facts, BOUNDS)) == (cause, without_worker)


@pytest.mark.parametrize(
    ("seconds", "rate", "cause"),
    [
        (19.0, None, BACKLOG),
        (19.0, 0.05, ""),
        (24.0, 0.05, ""),
        (26.0, 0.05, BACKLOG),
        (5.4, 100.0, ""),
        (5.6, 100.0, BACKLOG),
    ],
)
def test_an_account_waits_for_its_own_rate_first(seconds: float, rate: float | None, cause: str) -> None:
    waits = [Wait(tenant, "sms", seconds, pause_of(rate)) for tenant in (1, 2)]
    assert find_cause(Facts(waits, 2, served={"sms"}), BOUNDS) == cause


def test_a_bound_of_zero_never_sheds_load() -> None:
    facts = waiting(900.0, 900.0, web=web((9.0, 500, 9.0)))
    assert find_cause(facts, Bounds(0.0, 0.0, 0.0)) == ""


NORMAL = Decided()
SHEDDING = Decided(Level.SHEDDING, NOW, BACKLOG)


@pytest.mark.parametrize(
    ("old", "facts", "after", "new"),
    [
        (NORMAL, CALM_FACTS, 0 * SECOND, NORMAL),
        (NORMAL, OVERLOAD, 0 * SECOND, Decided(asked_since=NOW)),
        (Decided(asked_since=NOW), CALM_FACTS, SECOND, NORMAL),
        (Decided(asked_since=NOW), OVERLOAD, SECOND, Decided(asked_since=NOW)),
        (Decided(asked_since=NOW), OVERLOAD, BEGIN_AFTER, Decided(Level.SHEDDING, NOW + BEGIN_AFTER, BACKLOG)),
        (SHEDDING, OVERLOAD, SECOND, SHEDDING),
        (SHEDDING, waiting(3.0, 3.0), SECOND, SHEDDING),
        (SHEDDING, CALM_FACTS, SECOND, Decided(Level.SHEDDING, NOW, BACKLOG, NOW + SECOND)),
        (Decided(Level.SHEDDING, NOW, BACKLOG, NOW), OVERLOAD, SECOND, SHEDDING),
        (
            Decided(Level.SHEDDING, NOW, BACKLOG, NOW),
            CALM_FACTS,
            END_AFTER,
            Decided(Level.NORMAL, NOW + END_AFTER, CALM),
        ),
        (SHEDDING, OVERLOAD, LONGEST_SHEDDING, Decided(Level.NORMAL, NOW + LONGEST_SHEDDING, TOO_LONG)),
        (Decided(Level.NORMAL, NOW, TOO_LONG), OVERLOAD, REST - SECOND, Decided(Level.NORMAL, NOW, TOO_LONG)),
        (
            Decided(Level.NORMAL, NOW, TOO_LONG),
            OVERLOAD,
            REST,
            Decided(Level.NORMAL, NOW, TOO_LONG, NOW + REST),
        ),
    ],
)
def test_the_level_changes_slowly_and_for_a_limited_time(
    old: Decided, facts: Facts, after: timedelta, new: Decided
) -> None:
    assert decide(old, facts, BOUNDS, NOW + after) == new


def later(seconds: float) -> None:
    """Let the stored times lie so far back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_loadshedding SET decided_at = decided_at - %(s)s * interval '1 second',"
            " asked_since = asked_since - %(s)s * interval '1 second'",
            {"s": seconds},
        )


@pytest.mark.django_db
def test_an_overload_sheds_load_and_calm_ends_it(settings: Any) -> None:
    settings.LOAD_SHEDDING_WAIT_SECONDS = 5.0
    assert watch(CALM_FACTS) is Level.NORMAL and not LoadShedding.objects.exists()
    assert watch(OVERLOAD) is Level.NORMAL
    later(5)
    assert watch(OVERLOAD) is Level.SHEDDING and not may_run(Work.ANALYTICS)
    assert (read_state().cause, read_state().active_switch) == (BACKLOG, Switch.AUTO)
    watch(CALM_FACTS)
    later(31)
    assert watch(CALM_FACTS) is Level.NORMAL and may_run(Work.ANALYTICS)


@pytest.mark.django_db
def test_the_level_returns_although_no_sweep_runs() -> None:
    LoadShedding.objects.create(decided="shedding", decided_at=read_state().now, cause=BACKLOG)
    assert not may_run(Work.DIGESTS)
    later(LONGEST_SHEDDING.total_seconds())
    reset()
    assert may_run(Work.DIGESTS)


@pytest.mark.django_db
def test_off_holds_against_the_facts() -> None:
    set_switch(Switch.OFF)
    watch(OVERLOAD)
    later(6)
    assert watch(OVERLOAD) is Level.SHEDDING
    assert read_state().level is Level.NORMAL and may_run(Work.MARKETING)


# ---- facts ---------------------------------------------------------------------------------------------------------


def waiting_shop(seconds: float, kind: str = "transactional") -> Shop:
    """A shop whose message is due for so long, and whose account no worker has served since."""
    shop = a_shop(kind)
    shop.recipient("ada")
    shop.accept(an_order())
    ago = datetime.now(UTC) - timedelta(seconds=seconds)
    Delivery.objects.filter(tenant=shop.tenant).update(due_at=ago)
    ProviderAccount.objects.filter(tenant=shop.tenant).update(served_at=ago)
    return shop


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("lanes", "served"), [([Lane.TRANSACTIONAL], {"in_app"}), ([Lane.BULK], set())])
def test_a_worker_shows_by_the_urgent_messages_that_it_claimed(lanes: list[Lane], served: set[str]) -> None:
    waiting_shop(60), waiting_shop(60, "marketing"), waiting_shop(60, "critical")
    assert claims.claim("in_app", lanes, 10)
    assert gather().served == served


def in_flight(kind: str = "transactional", ago: float = 0.0) -> Shop:
    """A shop whose message a worker claimed so long ago."""
    shop = waiting_shop(60, kind)
    until = datetime.now(UTC) + timedelta(seconds=lease_seconds() - ago)
    Delivery.objects.filter(tenant=shop.tenant).update(status=Status.SENDING, lease_until=until)
    return shop


@pytest.mark.django_db
def test_urgent_messages_that_the_worker_does_not_reach_are_a_backlog() -> None:
    first, second, third = waiting_shop(60), waiting_shop(60, "critical"), waiting_shop(60, "marketing")
    in_flight()
    facts = gather()
    tenants = [wait.tenant for wait in facts.waits]
    assert set(tenants) == {first.tenant.pk, second.tenant.pk} and third.tenant.pk not in tenants
    assert all(59 < wait.seconds < 3600 for wait in facts.waits) and facts.tenants == 2
    assert (find_cause(facts, BOUNDS), facts.served) == (BACKLOG, {"in_app"})


@pytest.mark.django_db
@pytest.mark.parametrize("other", ["nothing", "bulk", "killed"])
def test_urgent_messages_of_a_channel_without_a_worker_are_none(other: str) -> None:
    waiting_shop(60), waiting_shop(60, "critical")
    if other != "nothing":
        in_flight("marketing") if other == "bulk" else in_flight(ago=11)
    facts = gather()
    assert len(facts.waits) == 2 and find_cause(facts, BOUNDS) == ""
    assert channels_without_worker(facts, BOUNDS) == {"in_app"}


@pytest.mark.django_db
def test_the_pause_of_an_account_is_that_of_its_rate() -> None:
    shop = waiting_shop(60)
    ProviderAccount.objects.filter(tenant=shop.tenant).update(rate_per_s=0.02)
    assert [(wait.pause, wait.exceeds(BOUNDS.wait)) for wait in gather().waits] == [(50.0, True)]
    ProviderAccount.objects.filter(tenant=shop.tenant).update(rate_per_s=0.01)
    assert [(wait.pause, wait.exceeds(BOUNDS.wait)) for wait in gather().waits] == [(100.0, False)]


@pytest.mark.django_db
def test_a_channel_without_a_worker_is_logged_once_until_it_has_one() -> None:
    without = Facts([Wait(1, "sms", 900.0)], 2)
    with capture_logs() as lines:
        for facts in (*[without] * 5, CALM_FACTS, *[without] * 3, CALM_FACTS, without, CALM_FACTS):
            watch(facts)
    assert [line["channel"] for line in lines if line["event"] == "no worker"] == ["sms", "sms"]


@pytest.mark.django_db
@pytest.mark.parametrize("why", ["served", "in flight", "stopped by the provider", "disabled", "not due"])
def test_messages_that_wait_for_their_own_provider_are_none(why: str) -> None:
    shop = waiting_shop(60)
    account_id = shop.deliveries()[0].account_id
    assert account_id is not None
    account = ProviderAccount.objects.filter(pk=account_id)
    rows = Delivery.objects.filter(tenant=shop.tenant)
    if why == "served":
        account.update(served_at=datetime.now(UTC))
    elif why == "in flight":
        shop.recipient("bob")
        shop.accept(an_order("bob"))
        newest = shop.deliveries()[-1]
        rows.filter(pk=newest.pk).update(status=30, lease_until=datetime.now(UTC) + timedelta(minutes=1))
    elif why == "stopped by the provider":
        rate_limits.record_throttling(account_id, 60.0, 10)
    elif why == "disabled":
        account.update(enabled=False)
    else:
        rows.update(due_at=datetime.now(UTC) + timedelta(minutes=1))
    assert all(wait.seconds < 1 for wait in gather().waits)


@pytest.mark.django_db
def test_reports_of_web_processes_are_read_and_redis_may_be_away(settings: Any) -> None:
    redis.client().delete("load:web")
    reports.write("a", WebReport(0.25, 40, 3, 0.001))
    reports.write("b", WebReport(2.5, 90, 1, 0.2))
    assert sorted(r.accept for r in gather().web) == [0.25, 2.5]
    redis.client().delete("load:web")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    redis.reset()
    try:
        waiting_shop(60), waiting_shop(60), in_flight()
        facts = gather()
        assert facts.web == [] and find_cause(facts, BOUNDS) == BACKLOG
        with pytest.raises(redis.Unavailable):
            reports.write("a", WebReport(0.25, 40, 3, 0.001))
        set_switch(Switch.ON)
        assert not may_run(Work.ANALYTICS)
    finally:
        redis.reset()


def test_a_report_that_no_process_renews_is_forgotten() -> None:
    redis.client().hset("load:web", uuid.uuid4().hex, "1000 9.0 500 2 9.0")
    redis.client().hset("load:web", uuid.uuid4().hex, "nonsense")
    assert 9.0 not in [r.accept for r in reports.read()]


def test_a_report_of_another_release_is_skipped() -> None:
    redis.client().delete("load:web")
    now, _ = redis.client().time()
    redis.client().hset("load:web", "a", f"{now} 9.0 500 9.0")
    reports.write("b", WebReport(0.25, 40, 3, 0.001))
    assert reports.read() == [WebReport(0.25, 40, 3, 0.001)]
