"""From GO on: each wave leaves when it is due, once; nothing else does. The time is moved by parameter."""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from campaigns import tasks
from campaigns.lifecycle.fan_out import fanout, waves
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import canary, pausing, stopping
from campaigns.models import Campaign, Shard
from campaigns.preflight.preflight import as_json, preflight
from campaigns.report import results
from campaigns.report.results_json import as_json as results_json
from campaigns.sending import claim as claiming
from campaigns.sending.claim import claim
from campaigns.sending.shards import send_shard
from campaigns.sweep import sweep
from inbox.models import InboxMessage
from notifier.delivery import sweep as delivery_sweep
from notifier.errors import Conflict
from tests.broker import Broker, broker
from tests.campaigns.conftest import Site
from tests.campaigns.launched import after_go
from tests.campaigns.waves.conftest import (
    HOUR,
    IN_UTC,
    IN_UTC_MINUS_1,
    IN_UTC_PLUS_2,
    MINUTE,
    NOW,
    SECOND,
    armed_in_waves,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["broker"]


def shard_at(at: datetime) -> Shard:
    return Shard.objects.get(not_before=at)


def move(campaign: Campaign, by: timedelta) -> None:
    """Let time pass for what has no parameter: a task's own look at the clock."""
    for shard in Shard.objects.filter(campaign=campaign, not_before__isnull=False):
        assert shard.not_before is not None
        Shard.objects.filter(pk=shard.pk).update(not_before=shard.not_before - by)
    Campaign.objects.filter(pk=campaign.pk).update(launched_at=F("launched_at") - by)


def test_a_wave_is_published_once_when_it_is_due(site: Site, broker: Broker) -> None:
    campaign = after_go(armed_in_waves(site, passed="leave_out"))
    assert (campaign.state, campaign.next_wave_at) == ("running", IN_UTC)
    broker.published.clear()
    sweep(IN_UTC - SECOND)
    assert broker.published == []  # a wave that is not due is not lost
    assert claim(shard_at(IN_UTC).pk, "w", IN_UTC - SECOND) is None
    fanout.dispatch_due_waves(IN_UTC)
    fanout.dispatch_due_waves(IN_UTC)
    assert broker.take("campaigns.dispatch") == [str(campaign.pk)]
    campaign.refresh_from_db()
    assert campaign.next_wave_at == IN_UTC_MINUS_1
    assert set(fanout.sendable_shards(campaign.pk, IN_UTC)) == {shard_at(IN_UTC)}
    assert claim(shard_at(IN_UTC).pk, "w", IN_UTC) is not None
    fanout.dispatch_due_waves(IN_UTC_MINUS_1)
    campaign.refresh_from_db()
    assert campaign.state == "running" and campaign.next_wave_at is None


def test_a_dispatch_of_a_wave_leaves_the_earlier_waves_alone(site: Site, broker: Broker) -> None:
    campaign = after_go(armed_in_waves(site, passed="leave_out"))
    move(campaign, 2 * HOUR)
    broker.published.clear()
    later = str(shard_at(IN_UTC_MINUS_1 - 2 * HOUR).pk)
    tasks.dispatch(str(campaign.pk), (IN_UTC_MINUS_1 - 2 * HOUR).isoformat())
    assert broker.take("campaigns.send_shard") == [later]
    broker.published.clear()
    tasks.dispatch(str(campaign.pk))
    assert len(broker.take("campaigns.send_shard")) == 2


def test_a_lost_wave_is_published_again(site: Site, broker: Broker) -> None:
    campaign = after_go(armed_in_waves(site, passed="leave_out"))
    fanout.dispatch_due_waves(IN_UTC)
    broker.published.clear()  # as if the broker had lost them
    fanout.enqueue_lost(campaign.pk, IN_UTC + SECOND)
    assert broker.take("campaigns.send_shard") == [str(shard_at(IN_UTC).pk)]


def test_the_campaign_finishes_after_its_last_wave_and_each_recipient_has_one_message(
    site: Site, broker: Broker
) -> None:
    campaign = after_go(armed_in_waves(site, passed="leave_out"))
    for hours, sent, state in [(0, 0, "running"), (1, 2, "running"), (1, 3, "finished")]:
        move(campaign, hours * HOUR)
        for pk in Shard.objects.filter(campaign=campaign).values_list("pk", flat=True):
            send_shard(pk, "bulk@one")
        sweep()
        campaign.refresh_from_db()
        assert (InboxMessage.objects.count(), campaign.state) == (sent, state)


def test_a_stop_between_waves_sends_nothing_more(site: Site, broker: Broker) -> None:
    campaign = after_go(armed_in_waves(site, passed="leave_out"))
    move(campaign, HOUR)
    send_shard(shard_at(IN_UTC - HOUR).pk, "bulk@one")
    stopping.stop(campaign.tenant_id, campaign.pk)
    stopping.cancel_rows(campaign.pk)
    broker.published.clear()
    sweep(IN_UTC_MINUS_1)
    assert claim(shard_at(IN_UTC_MINUS_1 - HOUR).pk, "w", IN_UTC_MINUS_1) is None
    assert broker.take("campaigns.send_shard") + broker.take("campaigns.dispatch") == []
    campaign.refresh_from_db()
    assert (campaign.next_wave_at, InboxMessage.objects.count()) == (None, 2)


def test_a_wave_that_comes_while_the_campaign_is_paused_leaves_with_the_resume(site: Site, broker: Broker) -> None:
    campaign = after_go(armed_in_waves(site, passed="leave_out"))
    pausing.pause(campaign.tenant_id, campaign.pk)
    broker.published.clear()
    sweep(IN_UTC + MINUTE)
    assert broker.published == []
    move(campaign, HOUR)
    pausing.resume(campaign.tenant_id, campaign.pk)
    assert broker.take("campaigns.send_shard") == [str(shard_at(IN_UTC - HOUR).pk)]
    campaign.refresh_from_db()
    assert campaign.next_wave_at == IN_UTC_MINUS_1 - HOUR
    assert claim(shard_at(IN_UTC - HOUR).pk, "w") is not None


# ---- GO after a wave's time --------------------------------------------------------------------------------------


def test_after_a_late_go_a_wave_leaves_at_once(site: Site, broker: Broker) -> None:
    campaign = armed_in_waves(site)
    move(campaign, HOUR)
    assert any("2 messages is over: they leave at once" in text for text in as_json(preflight(campaign))["warnings"])
    after_go(campaign)
    assert broker.take("campaigns.send_shard") == [str(shard_at(IN_UTC - HOUR).pk)]
    send_shard(shard_at(IN_UTC - HOUR).pk, "bulk@one")
    assert InboxMessage.objects.count() == 2


@pytest.mark.parametrize(("late", "reached"), [(5 * MINUTE, 2), (16 * MINUTE, 0)])
def test_after_a_late_go_a_wave_is_left_out_where_the_campaign_says_so(
    site: Site, broker: Broker, late: timedelta, reached: int
) -> None:
    campaign = armed_in_waves(site, passed="leave_out")
    move(campaign, IN_UTC - NOW + late)
    after_go(campaign)
    at = IN_UTC - (IN_UTC - NOW + late)
    send_shard(shard_at(at).pk, "bulk@one")
    campaign.refresh_from_db()
    assert (InboxMessage.objects.count(), campaign.state) == (reached, "running")
    report = results_json(results.results(campaign))
    assert report["suppressed"].get("local_time_passed", 0) == 1 + 2 - reached  # one was left out by arming


def test_go_is_refused_when_every_recipient_would_be_left_out(site: Site, broker: Broker) -> None:
    campaign = armed_in_waves(site, passed="leave_out")
    move(campaign, 5 * HOUR)
    with pytest.raises(Conflict) as refused:
        launch.go(campaign.tenant_id, campaign.pk)
    assert refused.value.code == "too_late"
    campaign.refresh_from_db()
    assert campaign.state == "armed"


# ---- the canary --------------------------------------------------------------------------------------------------


def send_due(campaign: Campaign) -> None:
    for pk in fanout.sendable_shards(campaign.pk).values_list("pk", flat=True):
        send_shard(pk, "bulk@one")


def test_the_canary_leaves_with_the_first_wave_and_the_later_waves_wait_for_their_time(
    site: Site, broker: Broker
) -> None:
    campaign = after_go(armed_in_waves(site, passed="leave_out", canary_percent=34), rollout="canary")
    assert Shard.objects.get(canary=True).not_before == IN_UTC
    canary.decide(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.canary_passed_at is None  # no message of the canary is due
    move(campaign, HOUR)
    send_due(campaign)
    assert InboxMessage.objects.count() == 1
    sweep()
    campaign.refresh_from_db()
    assert campaign.canary_passed_at is not None
    send_due(campaign)
    assert (InboxMessage.objects.count(), campaign.state) == (2, "running")


def test_a_resume_before_the_first_wave_does_not_accept_the_canary(site: Site, broker: Broker) -> None:
    campaign = after_go(armed_in_waves(site, passed="leave_out", canary_percent=34), rollout="canary_wait")
    pausing.pause(campaign.tenant_id, campaign.pk)
    pausing.resume(campaign.tenant_id, campaign.pk)
    campaign.refresh_from_db()
    assert campaign.canary_passed_at is None
    move(campaign, HOUR)
    send_due(campaign)
    sweep()
    campaign.refresh_from_db()
    assert campaign.state == "paused" and canary.LOOK_AT_CANARY in campaign.halted
    pausing.resume(campaign.tenant_id, campaign.pk)
    campaign.refresh_from_db()
    assert campaign.canary_passed_at is not None


# ---- the report --------------------------------------------------------------------------------------------------


def test_the_report_says_when_the_next_wave_leaves(site: Site, broker: Broker) -> None:
    campaign = after_go(armed_in_waves(site))
    progress = results.progress(campaign)
    assert (progress.next_wave, progress.next_messages) == (f"{IN_UTC:%-d %B, %H:%M} UTC", 2)
    report: dict[str, Any] = results_json(results.results(campaign))
    assert [wave["messages"] for wave in report["waves"]] == [2, 1, 1]
    assert report["waves"][0]["at"] == IN_UTC
    assert IN_UTC_PLUS_2 < NOW < report["waves"][2]["at"]


def test_times_count_from_the_moment_at_which_a_wave_became_due(site: Site, broker: Broker) -> None:
    campaign = after_go(armed_in_waves(site, passed="leave_out"))
    Campaign.objects.filter(pk=campaign.pk).update(launched_at=NOW - 9 * HOUR)
    move(campaign, 31 * MINUTE)
    campaign.refresh_from_db()
    send_due(campaign)
    in_shards = results.results(campaign)
    pausing.pause(campaign.tenant_id, campaign.pk)
    tasks.account(str(campaign.pk))
    campaign.refresh_from_db()
    in_ledger = results.results(campaign)
    assert Shard.objects.filter(accounted=True).count() == 1
    for report in (in_shards, in_ledger):
        assert report.times.last is not None and report.times.last < 20 * 60_000
        assert report.rate is None


def test_what_may_leave_is_decided_by_the_clock_of_the_database() -> None:
    """On a machine whose clock is a day ahead, tomorrow's waves would leave today."""
    for module in (canary, claiming, fanout, launch, pausing, waves, delivery_sweep):
        assert "datetime.now(" not in inspect.getsource(module), module.__name__
