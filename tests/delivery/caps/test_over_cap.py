"""What becomes of messages over a cap, and places of campaigns in later windows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from campaigns import arming
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import stopping
from campaigns.models import Audience, Campaign, Shard
from campaigns.report.accounting import account
from campaigns.sending.claim import claim
from campaigns.sending.recheck import Recheck
from campaigns.sending.shards import send_shard
from inbox.models import InboxMessage
from notifier.delivery.caps import last_look, loading
from notifier.delivery.explain import explain_request
from notifier.delivery.ledger import claims
from notifier.delivery.planning.cap_rules import window_at
from notifier.delivery.planning.plan import When
from notifier.delivery.planning.recipients import load_by_external_ids
from notifier.delivery.planning.rule import Rule
from notifier.delivery.planning.trace import RuleResult, TraceRequest, later_lines, trace
from notifier.models import CapCount, Delivery, DigestItem, FrequencyCap, Template
from notifier.vocabulary.status import Kind, Lane, Mode, QueuePosition, Reason, Status
from tenants.models import Category, Recipient
from tests.delivery.build import Shop, an_order
from tests.delivery.digests.build import DigestShop, a_digest_shop
from tests.delivery.scenes import a_campaign, of_campaign, running, send_shards

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def capped(shop: Shop, over_cap: str = "drop", most: int = 1, **columns: Any) -> None:
    loading.reset()
    FrequencyCap.objects.create(tenant=shop.tenant, most=most, period="day", **columns)
    Category.objects.filter(tenant=shop.tenant, key="orders").update(over_cap=over_cap)


def _digest_shop(over_cap: str = "drop", **columns: Any) -> DigestShop:
    """A shop with a digest, and a cap of the category `orders`."""
    shop = a_digest_shop()
    capped(shop, over_cap, category=Category.objects.get(tenant=shop.tenant), **columns)
    shop.setting()
    return shop


def orders_campaign(shop: Shop, *channels: str) -> Campaign:
    audience = Audience.objects.create(tenant=shop.tenant, name="all", source="everybody")
    template = Template.objects.get(tenant=shop.tenant, key="order")
    return running(
        Campaign.objects.create(
            tenant=shop.tenant,
            name="Sale",
            template=template,
            audience=audience,
            channels=list(channels),
            data={"order": "7"},
        )
    )


def midnight(at: datetime) -> datetime:
    return window_at("day", "UTC", at).end


def make_due() -> None:
    due = datetime.now(UTC) - timedelta(hours=1)
    Delivery.objects.filter(status=Status.QUEUED).update(due_at=due, queue_position=QueuePosition.HAS_TURN)


def armed(shop: Shop, **columns: Any) -> Campaign:
    campaign = a_campaign(shop, **columns)
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    return campaign


def refused_at(campaign: Campaign, now: datetime) -> dict[int, tuple[int, str]]:
    """Message -> status and reason, by the last look at that time."""
    shard = claim(Shard.objects.get(campaign=campaign).pk, "one")
    assert shard is not None
    outcomes = Recheck(shard, clock=lambda: now).refusals(range(len(shard.payload)))
    return {i: (outcome.status, str(outcome.reason)) for i, outcome in outcomes.items()}


@pytest.mark.django_db(transaction=True)
def test_a_digest_that_closes_gives_way_to_an_acceptance_that_holds_its_window() -> None:
    """An acceptance holds the window and waits for the digest or its queue: the closing must not wait long."""
    shop = _digest_shop("digest", most=2)
    for number in range(3):
        shop.order(str(number))
    acceptance = connection.copy()
    try:
        acceptance.set_autocommit(False)
        with acceptance.cursor() as cursor:
            cursor.execute("SELECT FROM notifier_capcount FOR UPDATE")
            assert shop.close(timedelta(minutes=11)) == 0
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            cursor.execute("SELECT FROM notifier_digest FOR UPDATE")
        acceptance.rollback()
    finally:
        acceptance.close()
    assert shop.close(timedelta(minutes=11)) == 1


# ---- notifications -------------------------------------------------------------------------------------------------


def test_a_deferred_message_waits_for_the_next_window_and_asks_again_then(market: Shop) -> None:
    capped(market, "defer")
    market.accept(an_order(), an_order(), an_order())
    waiting = Delivery.objects.filter(queue_position=QueuePosition.PARKED)
    tomorrow = midnight(datetime.now(UTC))
    assert {row.due_at for row in waiting} == {tomorrow} and len(waiting) == 2
    Delivery.objects.exclude(queue_position=QueuePosition.PARKED).update(status=Status.SENT)
    make_due()
    rows = claims.claim("in_app", [Lane.BULK], 10)
    (second,) = last_look.refuse_over_cap(rows, tomorrow)
    assert (second.status, second.held, second.wait) == (Status.QUEUED, True, DAY.total_seconds())
    assert last_look.refuse_over_cap([second.row], tomorrow + DAY) == []


def test_a_message_that_may_not_leave_so_late_expires(market: Shop) -> None:
    capped(market, "defer")
    soon = datetime.now(UTC) + timedelta(seconds=30)
    market.accept(an_order(), an_order(not_after=soon))
    assert Delivery.objects.get(reason=Reason.FREQUENCY_CAP).status == Status.EXPIRED


def test_messages_over_a_cap_join_the_digest_of_their_category() -> None:
    shop = _digest_shop("digest", channel="email")
    shop.order("1")
    gathered = [shop.rows_of(shop.order(number).notification_id) for number in ("2", "3")]
    assert [rows["email"] for rows in gathered] == [("queued", "in_digest")] * 2
    assert [rows["in_app"] for rows in gathered] == [("queued", "")] * 2
    assert DigestItem.objects.count() == 2


# ---- campaigns -----------------------------------------------------------------------------------------------------


def test_a_campaign_that_leaves_in_a_later_window_takes_its_places_there(market: Shop) -> None:
    market.recipient("bob", timezone="Asia/Tokyo")
    capped(market)
    market.accept(an_order())
    campaign = running(a_campaign(market))
    assert campaign.over_cap == 1
    later = datetime.now(UTC) + 2 * DAY
    assert refused_at(campaign, later) == {}
    starts = sorted(row.window_start for row in CapCount.objects.filter(holders__contains=[campaign.pk]))
    assert starts[-2:] == sorted(window_at("day", zone, later).start for zone in ("UTC", "Asia/Tokyo"))


def test_a_campaign_over_its_cap_waits_in_the_ledger_until_the_next_window(market: Shop) -> None:
    capped(market, "defer")
    market.accept(an_order())
    campaign = running(a_campaign(market))
    send_shards(campaign)
    row = Delivery.objects.get(campaign_id=campaign.pk)
    assert (row.status, row.reason, row.attempt) == (Status.QUEUED, Reason.FREQUENCY_CAP, 0)
    assert abs(row.due_at - midnight(datetime.now(UTC))) < timedelta(minutes=5)
    make_due()
    (claimed,) = [r for r in claims.claim("in_app", [Lane.BULK], 10) if r.campaign_id]
    assert last_look.refuse_over_cap([claimed], midnight(datetime.now(UTC))) == []


def test_a_campaign_over_its_cap_joins_the_digest_of_its_category() -> None:
    shop = _digest_shop("digest", channel="email")
    shop.order("1")
    campaign = orders_campaign(shop, "email")
    assert refused_at(campaign, datetime.now(UTC)) == {0: (Status.SUPPRESSED, "in_digest")}
    assert DigestItem.objects.get().campaign_id == campaign.pk


def test_a_planned_launch_takes_the_places_of_its_day(market: Shop) -> None:
    capped(market)
    at = datetime.now(UTC) + 3 * DAY
    campaign = armed(market, launch_at=at)
    assert CapCount.objects.get().window_start == window_at("day", "UTC", at).start
    assert [row.reason for row in market.deliveries() if row.campaign_id == campaign.pk] == [""]
    market.accept(an_order())
    assert "suppressed" not in market.statuses()


def test_a_stopped_campaign_gives_back_the_places_of_what_did_not_leave(market: Shop) -> None:
    market.recipient("bob")
    capped(market)
    campaign = armed(market)
    assert sorted(len(row.holders) for row in CapCount.objects.all()) == [1, 1]
    stopping.stop(market.tenant.id, campaign.pk)
    stopping.cancel_rows(campaign.pk)
    account(campaign.pk)
    assert of_campaign(campaign) == ["cancelled", "cancelled"]
    assert sorted(len(row.holders) for row in CapCount.objects.all()) == [0, 0]


def test_a_worker_that_is_lost_after_the_last_look_counts_once(market: Shop) -> None:
    capped(market, most=2)
    campaign = armed(market)
    launch.go(market.tenant.id, campaign.pk)
    later = datetime.now(UTC) + DAY
    shard = claim(Shard.objects.get(campaign=campaign).pk, "one")
    assert shard is not None
    for worker_look in (Recheck(shard, clock=lambda: later), Recheck(shard, clock=lambda: later)):
        assert worker_look.refusals([0]) == {}
    held = CapCount.objects.get(window_start=window_at("day", "UTC", later).start)
    assert held.holders == [campaign.pk]


def test_one_campaign_on_two_channels_counts_once() -> None:
    shop = _digest_shop()
    campaign = orders_campaign(shop, "in_app", "email")
    assert campaign.over_cap == 0 and Delivery.objects.filter(campaign_id=campaign.pk).count() == 2
    assert [row.holders for row in CapCount.objects.all()] == [[campaign.pk]]


# ---- explanation ---------------------------------------------------------------------------------------------------


def _cap_lines(shop: Shop, request: TraceRequest) -> list[RuleResult]:
    lines = later_lines(shop.tenant.id, request, trace(request))
    return [line for line in lines if line.rule == Reason.FREQUENCY_CAP]


@pytest.mark.parametrize(("over_cap", "outcome"), [("drop", "suppressed"), ("defer", "waits")])
def test_an_explanation_of_a_full_window_says_what_becomes_of_the_message(
    market: Shop, over_cap: str, outcome: str
) -> None:
    capped(market, over_cap)
    market.accept(an_order())
    now = datetime.now(UTC)
    request = an_order(channels=("in_app",))
    (explained,) = explain_request(market.tenant, request, now).channels
    assert (explained.outcome, explained.reason) == (outcome, "frequency_cap")
    assert explained.until == (window_at("day", market.tenant.timezone, now).end if outcome == "waits" else None)
    (of_test,) = explain_request(market.tenant, replace(request, mode=Mode.TEST), now).channels
    assert (of_test.outcome, of_test.until) == ("leaves", None)


def test_an_explanation_names_the_cap_its_places_and_its_window(market: Shop) -> None:
    capped(market, "defer", most=2)
    market.accept(an_order())
    person = load_by_external_ids(market.tenant.id, ["ada"])["ada"]
    request = TraceRequest(person, Rule("orders", Kind.MARKETING), ["in_app"], When(datetime.now(UTC)))
    (line,) = _cap_lines(market, request)
    assert (line.rule, line.channel, line.said) == ("frequency_cap", "in_app", "passed")
    assert line.looked_at.startswith("the cap 2 of all marketing each day: 1 of 2 places are taken (")
    market.accept(an_order())
    (full,) = _cap_lines(market, request)
    assert full.said == f"waits until {midnight(datetime.now(UTC)):%Y-%m-%d %H:%M}"
    assert not InboxMessage.objects.exists()


# ---- campaigns at local time -------------------------------------------------------------------------------------


def _in_two_waves(shop: Shop) -> Campaign:
    """An armed campaign, in an hour at UTC and in two hours at UTC-1; recipients whose time is over are left out."""
    Recipient.objects.filter(tenant=shop.tenant).update(timezone="UTC")
    Recipient.objects.filter(pk=shop.recipient("bob").pk).update(timezone="Etc/GMT+1")
    local_time = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0, tzinfo=None)
    campaign = a_campaign(shop, local_time=local_time, passed="leave_out")
    arming.request_arm(campaign)
    arming.arm(campaign.pk)
    campaign.refresh_from_db()
    return campaign


def test_all_waves_take_their_places_cap_by_cap(market: Shop) -> None:
    """An acceptance locks windows in the order of their keys, the cap first: another order would be a deadlock."""
    capped(market, category=Category.objects.get(tenant=market.tenant))
    capped(market, channel="in_app")
    _in_two_waves(market)
    with connection.cursor() as cursor:
        cursor.execute("SELECT cap_id, recipient_id FROM notifier_capcount ORDER BY ctid")
        in_order_of_insertion = cursor.fetchall()
    assert len(in_order_of_insertion) == 4 and in_order_of_insertion == sorted(in_order_of_insertion)


def test_a_wave_that_is_left_out_gives_its_places_back(market: Shop) -> None:
    capped(market)
    campaign = _in_two_waves(market)
    early = Shard.objects.filter(campaign=campaign).earliest("not_before")
    assert early.not_before is not None
    Shard.objects.filter(pk=early.pk).update(not_before=early.not_before - 2 * timedelta(hours=1))
    assert launch.go(campaign.tenant_id, campaign.pk)
    send_shard(early.pk, "bulk@one")
    assert InboxMessage.objects.count() == 0
    assert sorted(len(row.holders) for row in CapCount.objects.all()) == [0, 1]
