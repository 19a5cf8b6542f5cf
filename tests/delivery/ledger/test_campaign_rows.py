"""Rows of campaigns beside the ordering queues of single messages, and what arming fixes for its rows."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from campaigns import arming
from campaigns import tasks as campaign_tasks
from campaigns.lifecycle.running import stopping
from campaigns.models import Campaign, Shard
from campaigns.report import accounting
from campaigns.states import State
from inbox.models import InboxMessage
from notifier.delivery import redrive
from notifier.delivery.accounts import registry
from notifier.delivery.content import templates
from notifier.delivery.ledger import claims, ordering
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.errors import InvalidInput
from notifier.models import DeadLetter, Delivery, OrderingQueue, ProviderAccount, Template
from notifier.vocabulary.status import Lane, QueuePosition, Reason, Status
from tenants.models import Preference, Recipient
from tests.broker import Broker, broker
from tests.delivery.build import TEXT, Shop, an_order
from tests.delivery.scenes import (
    a_campaign,
    age_leases,
    all_due,
    backend_pid,
    of_campaign,
    running,
    send_shards,
    wait_until,
    waits_for_a_lock,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]
FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)
BULK = (Lane.BULK,)


def send_in_quiet_hours(shop: Shop) -> Campaign:
    """A running campaign whose only message waits in the ledger for the end of quiet hours, which are lifted then."""
    ada, now = Recipient.objects.get(tenant=shop.tenant, external_id="ada"), datetime.now(UTC)
    hour = timedelta(hours=1)
    quiet = Preference.objects.create(
        tenant=shop.tenant, recipient=ada, quiet_from=(now - hour).time(), quiet_until=(now + hour).time()
    )
    campaign = running(a_campaign(shop))
    send_shards(campaign)
    assert Delivery.objects.get(campaign_id=campaign.pk).queue_position == QueuePosition.PARKED
    quiet.delete()
    return campaign


def test_a_campaigns_parked_row_takes_no_turn_of_the_recipients_queue(market: Shop) -> None:
    market.accept(an_order())
    deliver("in_app", BULK)  # ada has a queue now, and its turn is free
    send_in_quiet_hours(market)
    all_due()
    sweep()
    deliver("in_app", BULK)
    queue = OrderingQueue.objects.get(tenant=market.tenant)
    assert (queue.turn_taken, queue.unfinished) == (False, 0)
    market.accept(an_order())
    deliver("in_app", BULK)
    assert market.statuses() == ["delivered"] * 3


def test_a_campaigns_parked_row_does_not_wait_behind_a_queue(market: Shop) -> None:
    campaign = send_in_quiet_hours(market)
    market.accept(an_order(), an_order())
    all_due()
    sweep()
    assert Delivery.objects.get(campaign_id=campaign.pk).queue_position == QueuePosition.HAS_TURN
    for _ in range(3):
        deliver("in_app", BULK)
    queue = OrderingQueue.objects.get(tenant=market.tenant)
    assert (queue.turn_taken, queue.unfinished) == (False, 0)
    assert market.statuses() == ["delivered"] * 3


def test_two_sweeps_at_once_leave_no_turn_without_its_holder(shop: Shop) -> None:
    shop.accept(an_order(send_at=datetime.now(UTC) + timedelta(hours=1)))
    all_due()
    [row] = shop.deliveries()
    backends: list[int] = []
    ended: list[bool] = []

    def slow_sweep() -> None:
        backends.append(backend_pid())
        sweep()
        ended.append(True)
        connection.close()

    slower = threading.Thread(target=slow_sweep)
    with transaction.atomic():
        assert ordering.lock([(row.tenant_id, row.recipient_id, row.channel, row.lane, row.mode)])
        slower.start()
        wait_until(lambda: bool(backends) and waits_for_a_lock(backends[0]))  # it has read the parked row
        sweep()
        deliver("in_app", FAST)
    slower.join()
    assert ended
    assert shop.statuses() == ["delivered"]
    assert not OrderingQueue.objects.get(tenant=shop.tenant).turn_taken


def test_driving_a_campaigns_row_again_leaves_queues_alone(market: Shop) -> None:
    market.accept(an_order())
    campaign = running(a_campaign(market))
    Delivery.objects.filter(campaign_id=campaign.pk).update(status=Status.QUEUED, content={"title": "a", "body": "b"})
    rows = claims.begin(claims.claim("in_app", BULK, 10))
    assert len(rows) == 2
    settle([Outcome(row, Status.FAILED, Reason.EXHAUSTED, dead_letter=True) for row in rows])
    assert redrive(market.tenant.id, list(DeadLetter.objects.values_list("pk", flat=True))) == 2
    assert OrderingQueue.objects.get(tenant=market.tenant).unfinished == 1
    deliver("in_app", BULK)
    queue = OrderingQueue.objects.get(tenant=market.tenant)
    assert (queue.turn_taken, queue.unfinished) == (False, 0)


def test_a_row_in_doubt_whose_time_is_over_is_unknown_not_expired(shop: Shop, settings: Settings) -> None:
    shop.accept(an_order(not_after=datetime.now(UTC) + timedelta(hours=1)))
    claims.begin(claims.claim("in_app", FAST, 10))
    Delivery.objects.filter(tenant=shop.tenant).update(not_after=datetime.now(UTC) - timedelta(seconds=1))
    age_leases(settings)
    sweep()
    deliver("in_app", FAST)
    assert shop.statuses() == ["unknown"]


def test_a_page_opened_before_another_arming_changes_neither_ids_nor_revision(market: Shop) -> None:
    stale = a_campaign(market)
    fresh = Campaign.objects.get(pk=stale.pk)
    arming.request_arm(fresh)
    arming.arm(fresh.pk)
    before = Campaign.objects.get(pk=stale.pk)
    arming.request_arm(stale)
    after = Campaign.objects.get(pk=stale.pk)
    assert after.first_armed_ms == before.first_armed_ms
    assert after.revision > before.revision


def test_a_disabled_account_sends_nothing_of_an_armed_campaign(market: Shop) -> None:
    campaign = running(a_campaign(market))
    ProviderAccount.objects.filter(tenant=market.tenant, channel="in_app").update(enabled=False)
    registry.reset()
    send_shards(campaign)
    assert not InboxMessage.objects.filter(tenant=market.tenant).exists()
    accounting.account(campaign.pk)
    assert of_campaign(campaign) == ["failed"]


def test_a_text_that_postgresql_cannot_store_is_the_callers_error(shop: Shop) -> None:
    template = Template.objects.get(tenant=shop.tenant)
    templates.publish(template, {"in_app": {"en": {**TEXT, "body": '{{ "a%00b" | url_decode }}'}}})
    outcomes = shop.accept(an_order())
    assert isinstance(outcomes[0], InvalidInput)
    assert not shop.deliveries()


def test_open_shards_of_one_channel_hide_no_other_channel(market: Shop, broker: Broker) -> None:
    campaign = running(a_campaign(market))
    [shard] = Shard.objects.filter(campaign=campaign)
    many = [
        Shard(tenant=market.tenant, campaign=campaign, number=n, channel="push", account=shard.account, size=1)
        for n in range(2, 203)
    ]
    Shard.objects.bulk_create(many)
    Shard.objects.filter(pk=shard.pk).update(number=1000)
    broker.published.clear()
    campaign_tasks.sweep()
    assert "in_app.bulk" in {message.queue for message in broker.published}
    assert campaign.state == State.RUNNING


def test_a_message_that_may_have_arrived_is_not_called_suppressed(market: Shop, settings: Settings) -> None:
    ada = Recipient.objects.get(tenant=market.tenant)
    market.accept(an_order())
    [row] = claims.begin(claims.claim("in_app", [Lane.BULK], 10))
    age_leases(settings)
    sweep()
    [waiting] = market.deliveries()
    assert (waiting.status, waiting.reason) == (Status.QUEUED, Reason.IN_DOUBT)
    Preference.objects.create(tenant=market.tenant, recipient=ada, channels_off=["in_app"])
    deliver("in_app", [Lane.BULK])
    [row_now] = market.deliveries()
    assert (row_now.id, row_now.status, row_now.reason) == (row.id, Status.UNKNOWN, Reason.IN_DOUBT)


def test_a_message_that_may_have_arrived_is_not_called_cancelled_by_a_stop(market: Shop) -> None:
    campaign = running(a_campaign(market))
    Shard.objects.filter(campaign=campaign).update(state=Shard.State.DONE)
    Delivery.objects.filter(campaign_id=campaign.pk).update(status=Status.QUEUED, reason=Reason.IN_DOUBT)
    stopping.stop(campaign.tenant_id, campaign.pk)
    stopping.cancel_rows(campaign.pk)
    assert of_campaign(campaign) == ["unknown"]
