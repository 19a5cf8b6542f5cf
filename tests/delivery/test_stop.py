"""A stop, and messages that are in flight, are requeued or get lost at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from campaigns import tasks as campaign_tasks
from campaigns.lifecycle.running import stopping
from campaigns.models import Campaign, Shard
from campaigns.report import accounting
from campaigns.report.results import results
from campaigns.sending import shards
from campaigns.sending.claim import claim
from campaigns.shard import outcomes
from inbox.models import InboxMessage
from notifier.channels.in_app import InAppMessage
from notifier.delivery.send import deliver
from notifier.models import Delivery
from notifier.providers.base import Answers
from notifier.vocabulary.status import Lane, QueuePosition, Status
from notifier.vocabulary.verdicts import Temporary
from tests.broker import Broker, broker
from tests.delivery.build import Shop
from tests.delivery.scenes import a_campaign, age_leases, all_due, answering, of_campaign, running, send_shards

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]
FAST = (Lane.CRITICAL, Lane.TRANSACTIONAL)
BULK = (Lane.BULK,)


def test_a_message_in_flight_at_a_stop_is_not_tried_again(market: Shop) -> None:
    campaign = running(a_campaign(market))

    def stop_then_refuse(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        stopping.stop(campaign.tenant_id, campaign.pk)
        stopping.cancel_rows(campaign.pk)
        yield [(i, Temporary("busy")) for i in range(len(messages))]

    with answering(market, stop_then_refuse):
        send_shards(campaign)
    all_due()
    deliver("in_app", BULK)
    assert not InboxMessage.objects.filter(tenant=market.tenant).exists()
    assert of_campaign(campaign) == ["cancelled"]


def test_the_sweep_cancels_a_retry_that_came_back_after_a_stop(market: Shop, broker: Broker) -> None:
    campaign = running(a_campaign(market))
    stopping.stop(campaign.tenant_id, campaign.pk)
    stopping.cancel_rows(campaign.pk)
    Delivery.objects.filter(campaign_id=campaign.pk).update(status=Status.QUEUED, queue_position=QueuePosition.PARKED)
    broker.published.clear()
    campaign_tasks.sweep()
    assert broker.take("campaigns.cancel_rows") == [str(campaign.pk)]
    stopping.cancel_rows(campaign.pk)
    assert of_campaign(campaign) == ["cancelled"]


def test_a_worker_lost_after_a_stop_leaves_its_rows_accounted_for(
    market: Shop, broker: Broker, settings: Settings
) -> None:
    market.recipient("ben")
    settings.SHARD_SIZE = 1
    campaign = running(a_campaign(market))
    first, second = Shard.objects.filter(campaign=campaign).order_by("number")
    lost, alive = claim(first.pk, "lost"), claim(second.pk, "alive")
    assert lost is not None and alive is not None
    for one in (lost, alive):
        assert outcomes.write_outcomes(one.outcomes, one.id, one.fence, 1).running
    settings.LEASE_SECONDS = 0.1  # or a database that has just started ends no lease
    stopping.stop(campaign.tenant_id, campaign.pk)
    Shard.objects.filter(pk=first.pk).update(lease_until=datetime.now(UTC) - timedelta(hours=1))
    stopping.cancel_rows(campaign.pk)  # messages of the other shard are still in flight
    accounting.account(campaign.pk)
    assert sorted(of_campaign(campaign)) == ["armed", "unknown"]
    alive.outcomes.mark_sent([0], 7)
    assert outcomes.release_shard(alive.outcomes, alive.id, alive.fence, Shard.State.DONE, ended=True)
    broker.published.clear()
    campaign_tasks.sweep()
    assert broker.take("campaigns.account") == [str(campaign.pk)]
    accounting.account(campaign.pk)
    assert sorted(of_campaign(campaign)) == ["sent", "unknown"]


def test_a_shard_is_released_only_when_its_last_answer_is_written(market: Shop, settings: Settings) -> None:
    market.recipient("ben")
    campaign = running(a_campaign(market, rate_per_s=10.0))  # one message at a time
    [shard] = Shard.objects.filter(campaign=campaign)

    class Killed(BaseException):
        """kill -9"""

    def stop_then_die(messages: Sequence[InAppMessage]) -> Iterator[Answers]:
        stopping.stop(campaign.tenant_id, campaign.pk)
        raise Killed
        yield  # and no answer ever comes

    with answering(market, stop_then_die), pytest.raises(Killed):
        shards.send_shard(shard.pk, "lost")
    stopping.cancel_rows(campaign.pk)
    accounting.account(campaign.pk)
    assert of_campaign(campaign) == ["armed", "armed"]  # an answer may still come
    report = results(Campaign.objects.get(pk=campaign.pk))
    assert (report.in_doubt, report.not_sent) == (1, 1)
    age_leases(settings)
    stopping.cancel_rows(campaign.pk)
    accounting.account(campaign.pk)
    assert sorted(of_campaign(campaign)) == ["cancelled", "unknown"]
