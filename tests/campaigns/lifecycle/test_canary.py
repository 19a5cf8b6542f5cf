"""The canary leaves first, alone; its outcomes decide whether the rest leaves. On shards made by hand."""

from __future__ import annotations

import pytest

from campaigns import tasks
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import canary, pausing
from campaigns.models import Campaign, Rollout, Shard
from campaigns.sending.claim import claim
from notifier.errors import Conflict, InvalidInput
from tests.campaigns.conftest import Site
from tests.campaigns.launched import (
    Broker,
    after_go,
    an_armed,
    audited_acts,
    broker,
    count_sendable,
    end_shards,
    unchanged,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]


@pytest.mark.parametrize("rollout", [Rollout.CANARY, Rollout.CANARY_WAIT])
def test_before_the_canary_is_done_nothing_else_leaves(site: Site, broker: Broker, rollout: str) -> None:
    campaign = after_go(an_armed(site, shards=5, canaries=2), rollout=rollout)
    canaries = {str(pk) for pk in Shard.objects.filter(canary=True).values_list("pk", flat=True)}
    assert set(broker.take("campaigns.send_shard")) == canaries
    tasks.sweep()
    assert set(broker.take("campaigns.send_shard")) == canaries
    assert [claim(pk, "w") is not None for pk in Shard.objects.filter(canary=False).values_list("pk", flat=True)] == [
        False
    ] * 3
    campaign.refresh_from_db()
    assert (campaign.canary_passed_at, campaign.state) == (None, "running")


def test_a_good_canary_lets_the_rest_go_once(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site, shards=5, canaries=2), rollout="canary")
    end_shards(campaign, canary=True, sent=9, failed=1, dead=1)
    broker.published.clear()
    for _ in range(3):
        canary.decide(campaign.pk)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted, count_sendable(campaign)) == ("running", "", 3)
    assert campaign.canary_passed_at is not None
    assert len(broker.take("campaigns.send_shard")) == 3
    assert audited_acts(campaign) == ["go", "canary_passed"]


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ({"sent": 7, "failed": 3}, "30 % of 20 messages failed; the limit is 20 %."),
        ({"sent": 7, "requeued": 3}, "30 % of 20 messages failed; the limit is 20 %."),
        ({"sent": 4, "failed": 6, "dead": 6}, "60 % of 20 addresses are dead; the limit is 50 %."),
    ],
)
def test_a_bad_canary_halts_until_the_campaign_is_resumed(
    site: Site, broker: Broker, counts: dict[str, int], why: str
) -> None:
    campaign = after_go(an_armed(site, shards=5, canaries=2), rollout="canary")
    end_shards(campaign, canary=True, **counts)
    broker.published.clear()
    tasks.finish_chord(str(campaign.pk))
    tasks.sweep()
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted, campaign.canary_passed_at) == ("paused", why, None)
    assert (broker.tasks, count_sendable(campaign)) == (["campaigns.account"], 0)
    assert pausing.resume(campaign.tenant_id, campaign.pk) is True
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted, count_sendable(campaign)) == ("running", "", 3)
    assert campaign.canary_passed_at is not None
    canary.decide(campaign.pk)
    assert audited_acts(campaign) == ["go", "halted", "resume"]


def test_a_canary_with_wait_pauses_the_campaign_until_a_resume(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site, shards=2, canaries=1), rollout="canary_wait")
    end_shards(campaign, canary=True, sent=10)
    tasks.sweep()
    campaign.refresh_from_db()
    assert (campaign.state, campaign.halted, count_sendable(campaign)) == ("paused", canary.LOOK_AT_CANARY, 0)
    pausing.resume(campaign.tenant_id, campaign.pk)
    assert count_sendable(campaign) == 1


def test_a_pause_in_mid_canary_is_no_verdict(site: Site, broker: Broker) -> None:
    campaign = after_go(an_armed(site, shards=5, canaries=2), rollout="canary")
    pausing.pause(campaign.tenant_id, campaign.pk)
    canary.decide(campaign.pk)
    pausing.resume(campaign.tenant_id, campaign.pk)
    campaign.refresh_from_db()
    assert (campaign.canary_passed_at, count_sendable(campaign)) == (None, 2)


def test_a_go_with_a_canary_never_sends_everything(site: Site, broker: Broker) -> None:
    campaign = an_armed(site, canaries=0)
    for hold in (0, 30):
        Campaign.objects.filter(pk=campaign.pk).update(hold_seconds=hold)
        with unchanged(campaign), pytest.raises(Conflict) as refused:
            launch.go(campaign.tenant_id, campaign.pk, rollout="canary")
        assert refused.value.code == "no_canary"
    with unchanged(campaign), pytest.raises(InvalidInput):
        launch.go(campaign.tenant_id, campaign.pk, rollout="some")
    assert (audited_acts(campaign), broker.published) == ([], [])
