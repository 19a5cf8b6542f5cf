"""Rows that a campaign requeued in the ledger obey its controls: paused, stopped, so many a second."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from campaigns.lifecycle.running import pausing, stopping
from campaigns.models import Campaign, Shard
from inbox.models import InboxMessage
from notifier.channels.in_app import InAppMessage
from notifier.delivery import send
from notifier.delivery.accounts import rate_limits
from notifier.delivery.send import TaskLimits, deliver
from notifier.models import Delivery, DeliveryEvent
from notifier.providers.base import Answers
from notifier.vocabulary.status import Lane, QueuePosition, Status
from notifier.vocabulary.verdicts import Throttled
from tests.delivery.build import Shop, an_order
from tests.delivery.scenes import a_campaign, all_due, answering, of_campaign, running

pytestmark = pytest.mark.django_db(transaction=True)
BULK = (Lane.BULK,)


@pytest.fixture
def requeued(market: Shop) -> Campaign:
    """A running campaign all of whose thirty rows wait in the ledger for a second attempt."""
    for n in range(29):
        market.recipient(f"eve-{n}")
    campaign = running(a_campaign(market))
    content = {"title": "Hi", "body": "Order 7"}
    rows = Delivery.objects.filter(campaign_id=campaign.pk)
    assert rows.update(status=Status.QUEUED, queue_position=QueuePosition.HAS_TURN, attempt=1, content=content) == 30
    Shard.objects.filter(campaign=campaign).update(state="done")
    return campaign


def waits(campaign: Campaign) -> set[float]:
    now = datetime.now(UTC)
    rows = Delivery.objects.filter(campaign_id=campaign.pk, status=Status.QUEUED)
    return {round((due - now).total_seconds()) for due in rows.values_list("due_at", flat=True)}


def test_rows_of_a_paused_campaign_wait_and_write_no_history(requeued: Campaign) -> None:
    pausing.pause(requeued.tenant_id, requeued.pk)
    for _ in range(3):
        all_due()
        deliver("in_app", BULK)
    assert set(of_campaign(requeued)) == {"queued"}
    assert waits(requeued) == {round(send.HELD_SECONDS)}
    assert not DeliveryEvent.objects.exists()
    assert set(Delivery.objects.filter(campaign_id=requeued.pk).values_list("attempt", flat=True)) == {1}
    pausing.resume(requeued.tenant_id, requeued.pk)
    all_due()
    deliver("in_app", BULK)
    assert set(of_campaign(requeued)) == {"delivered"}


def test_a_stop_cancels_requeued_rows_in_its_request(requeued: Campaign) -> None:
    stopping.stop(requeued.tenant_id, requeued.pk)
    assert set(of_campaign(requeued)) == {"cancelled"}
    all_due()
    deliver("in_app", BULK)
    assert not InboxMessage.objects.exists()


def test_a_stop_of_a_paused_campaign_ends_waiting_rows(requeued: Campaign) -> None:
    pausing.pause(requeued.tenant_id, requeued.pk)
    deliver("in_app", BULK)
    stopping.stop(requeued.tenant_id, requeued.pk)
    assert set(of_campaign(requeued)) == {"cancelled"}


def test_requeued_rows_keep_to_the_campaigns_speed(requeued: Campaign) -> None:
    Campaign.objects.filter(pk=requeued.pk).update(rate_per_s=10.0)
    rate_limits.take_tokens(1, rate_limits.campaign_limit(requeued.pk, 10.0))
    time.sleep(0.2)
    all_due()
    deliver("in_app", BULK)
    assert of_campaign(requeued).count("delivered") == 1
    assert waits(requeued) == {3}  # 29 rows at ten a second


def test_other_rows_do_not_wait_for_a_paused_campaign(requeued: Campaign, market: Shop) -> None:
    pausing.pause(requeued.tenant_id, requeued.pk)
    all_due()
    market.accept(an_order())
    deliver("in_app", (Lane.BULK, Lane.TRANSACTIONAL))
    assert Delivery.objects.get(campaign_id=None).status == Status.DELIVERED
    assert set(of_campaign(requeued)) == {"queued"}


def test_a_provider_that_is_asked_too_much_is_left_alone(market: Shop) -> None:
    asked: list[int] = []

    def refuse(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        asked.append(len(messages))
        yield [(i, Throttled(60.0, "quota")) for i in range(len(messages))]

    with answering(market, refuse):
        for n in range(3):
            market.recipient(f"eve-{n}")
        market.accept(*[an_order(f"eve-{n}") for n in range(3)])
        limits = TaskLimits(seconds=1.0)  # the account is stopped for a minute, and a task would wait for it
        deliver("in_app", (Lane.TRANSACTIONAL, Lane.BULK), limits=limits)
        account = market.deliveries()[0].account_id
        assert account is not None
        assert (asked, rate_limits.take_for_account(account, None, 1).granted) == ([3], 0)
        market.accept(an_order())
        deliver("in_app", (Lane.TRANSACTIONAL, Lane.BULK), limits=limits)
        assert asked == [3]
