"""How well a channel works: what the facts say, and what is kept of past hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from notifier.delivery.accounts import health
from notifier.delivery.channel_status.history import DAYS, HOURS, load_bars, record_look
from notifier.delivery.channel_status.read import read_accounts, states
from notifier.delivery.channel_status.state import AccountFacts, ChannelState, state_of, state_of_looks
from notifier.models import Delivery, ProviderAccount, StatusHour
from tests.delivery.build import Shop, a_shop, an_order

OPERATIONAL, DEGRADED, OUTAGE = ChannelState.OPERATIONAL, ChannelState.DEGRADED, ChannelState.OUTAGE


@pytest.mark.parametrize(
    ("accounts", "state"),
    [
        ([(100, 0)], OPERATIONAL),
        ([(100, 60)], OPERATIONAL),
        ([(100, 61)], DEGRADED),
        ([(100, 301)], OUTAGE),
        ([(90, 0)], DEGRADED),
        ([(0, 0)], OUTAGE),
        ([(100, 0), (0, 0)], DEGRADED),
        ([(0, 0), (0, 0)], OUTAGE),
        ([(100, 0), (100, 400)], OUTAGE),
    ],
    ids=str,
)
def test_the_state_of_a_channel(accounts: list[tuple[int, float]], state: ChannelState) -> None:
    facts = [AccountFacts("name", "fcm", "push", weight, oldest) for weight, oldest in accounts]
    assert state_of(facts) is state


@pytest.mark.parametrize(
    ("looks", "state"),
    [
        ((0, 0, 0), None),
        ((60, 0, 0), OPERATIONAL),
        ((60, 1, 0), OPERATIONAL),
        ((60, 1, 1), DEGRADED),
        ((60, 2, 0), DEGRADED),
        ((60, 9, 2), OUTAGE),
    ],
    ids=str,
)
def test_the_state_of_a_past_hour(looks: tuple[int, int, int], state: ChannelState | None) -> None:
    assert state_of_looks(*looks) is state


@pytest.fixture
def shop(db: None) -> Shop:
    shop = a_shop()
    shop.tenant.status_page = True
    shop.tenant.save()
    shop.recipient()
    return shop


def test_the_facts_of_a_tenant_are_its_own(shop: Shop) -> None:
    shop.accept(an_order())
    other = a_shop()
    other.recipient()
    other.accept(an_order())
    Delivery.objects.filter(tenant=other.tenant).update(due_at=datetime.now(UTC) - timedelta(hours=1))
    found = read_accounts([shop.tenant.pk, other.tenant.pk])
    assert set(states(found[shop.tenant.pk]).values()) == {OPERATIONAL}
    assert states(found[other.tenant.pk])["in_app"] is OUTAGE


def test_looks_add_up_to_bars(shop: Shop) -> None:
    shop.accept(an_order())
    now = datetime(2026, 11, 29, 10, 30, tzinfo=UTC)
    for minute in (0, 1):
        record_look(now - timedelta(hours=2, minutes=minute))
    account = ProviderAccount.objects.get(tenant=shop.tenant, channel="in_app")
    health.move(account.pk, -10)
    for minute in (0, 1):
        record_look(now - timedelta(minutes=minute))
    bars = load_bars(shop.tenant.pk, now)["in_app"]
    assert (len(bars.hours), len(bars.days)) == (HOURS, DAYS)
    assert bars.hours[-3:] == (OPERATIONAL, None, OUTAGE)
    assert bars.days[-2:] == (None, OUTAGE)
    assert StatusHour.objects.filter(channel="in_app").count() == 2
    health.move(account.pk, 10)


def test_a_minute_counts_once_however_many_beats_look(shop: Shop) -> None:
    shop.accept(an_order())
    account = ProviderAccount.objects.get(tenant=shop.tenant, channel="in_app")
    health.move(account.pk, -10)
    now = datetime(2026, 11, 29, 10, 30, tzinfo=UTC)
    for second in (1, 20, 59):
        record_look(now + timedelta(seconds=second))
    health.move(account.pk, 10)
    assert StatusHour.objects.values_list("looks", "outage").get(channel="in_app") == (1, 1)
    assert load_bars(shop.tenant.pk, now)["in_app"].hours[-1] is OPERATIONAL
    record_look(now + timedelta(minutes=1))
    assert StatusHour.objects.values_list("looks", "outage").get(channel="in_app") == (2, 1)


def test_old_hours_are_forgotten_and_a_closed_page_is_not_watched(shop: Shop) -> None:
    shop.accept(an_order())
    now = datetime(2026, 11, 29, 10, 30, tzinfo=UTC)
    record_look(now - timedelta(days=DAYS + 2))
    record_look(now)
    assert [row.hour.day for row in StatusHour.objects.filter(channel="in_app")] == [29]
    shop.tenant.status_page = False
    shop.tenant.save()
    record_look(now + timedelta(hours=1))
    assert StatusHour.objects.filter(channel="in_app").count() == 1
