"""Sending a shard whose worker is killed or frozen, or whose campaign is stopped or paused. The receiver counts."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from campaigns.lifecycle.running import pausing, stopping
from campaigns.models import Campaign, Shard
from campaigns.sending import claim
from campaigns.sending.sender import Sender
from notifier.channels import channel
from notifier.models import Delivery
from notifier.vocabulary.status import Status
from tests.campaigns.fake_client import (
    BUSY,
    SILENCE,
    Killed,
    Post,
    account,
    claimed,
    ledger,
    lose_leases,
    post,
    reported,
    retried,
    send,
    send_and_die,
    shard_of,
    shards_of,
    stop,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]


def test_every_recipient_gets_the_message_once_and_the_report_adds_up_at_every_moment(post: Post) -> None:
    tokens = post.people(900)
    campaign = post.running()
    moments: list[dict[tuple[str, str], int]] = []
    post.client.before_take = lambda: moments.append(reported(campaign))
    send(campaign)
    assert post.client.counted == dict.fromkeys(tokens, 1)
    assert all(sum(moment.values()) == 900 for moment in moments)
    assert set(moments[0]) <= {("sent", ""), ("sending", ""), ("armed", "")}
    assert reported(campaign) == {("sent", ""): 900}
    account(campaign)
    assert reported(campaign) == ledger(campaign) == {("sent", ""): 900}
    assert campaign.state == Campaign.State.FINISHED


# ---- a worker is lost ------------------------------------------------------------------------------------------


def test_a_killed_worker_s_answered_messages_are_not_repeated(post: Post, settings: Settings) -> None:
    tokens = post.people(1_000)
    campaign = post.running()
    post.client.fate = lambda address: 200 if len(post.client.begun) <= 500 else SILENCE
    takes = 0

    def die() -> None:
        nonlocal takes
        takes += 1
        if takes > 20:
            raise Killed

    post.client.before_take = die
    send_and_die(campaign)
    shard = shard_of(campaign)
    assert shard.sent > 0 and 0 < shard.begun - shard.sent <= post.client.streams
    first, answered = post.client.counted, shard.sent
    figures = reported(campaign)
    assert figures["sending", ""] == shard.begun - shard.sent
    post.client.fate, post.client.before_take = lambda address: 200, lambda: None
    lose_leases(settings)
    send(campaign)
    assert set(post.client.counted) == set(tokens)
    repeats = sum(post.client.counted.values()) - 1_000
    assert repeats == sum(first.values()) - answered <= post.client.streams
    assert reported(campaign) == {("sent", ""): 1_000}


def test_messages_in_doubt_end_unknown_on_a_channel_where_a_repeat_hurts(
    post: Post, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(channel("push")), "repeat_when_in_doubt", False)
    post.people(10)
    campaign = post.running()

    def die() -> None:
        raise Killed

    post.client.fate, post.client.before_take = lambda address: SILENCE, die
    send_and_die(campaign)
    post.client.fate, post.client.before_take = lambda address: 200, lambda: None
    lose_leases(settings)
    send(campaign)
    assert set(post.client.counted.values()) == {1}
    shard = shard_of(campaign)
    assert reported(campaign) == {("unknown", "in_doubt"): shard.begun} | (
        {("sent", ""): 10 - shard.begun} if shard.begun < 10 else {}
    )
    account(campaign)
    assert reported(campaign)["unknown", "in_doubt"] == shard.begun


def test_a_frozen_worker_that_comes_back_writes_nothing_and_sends_nothing_more(post: Post, settings: Settings) -> None:
    tokens = post.people(1_000)
    campaign = post.running()
    shard = shard_of(campaign)

    def freeze() -> None:
        if len(post.client.begun) < 400:
            return
        post.client.before_take = lambda: None
        lose_leases(settings)
        send(campaign)  # another worker, meanwhile; it ends the shard
        after.append((len(post.client.begun), Shard.objects.filter(pk=shard.pk).values().get()))

    after: list[tuple[int, object]] = []
    post.client.before_take = freeze
    assert not Sender(claimed(campaign)).run()
    assert [(len(post.client.begun), Shard.objects.filter(pk=shard.pk).values().get())] == after
    assert set(post.client.counted) == set(tokens)
    assert max(post.client.counted.values()) <= 2
    assert reported(campaign) == {("sent", ""): 1_000}


def test_messages_that_a_lost_worker_requeued_are_not_sent_by_the_shard_again(post: Post, settings: Settings) -> None:
    tokens = post.people(300)
    campaign = post.running()
    post.client.fate = lambda address: BUSY if address in tokens[:50] else 200

    def die() -> None:
        if shard_of(campaign).requeued:
            raise Killed

    post.client.before_take = die
    send_and_die(campaign)
    requeued = shard_of(campaign).requeued
    assert requeued == Delivery.objects.filter(campaign_id=campaign.pk, status=Status.QUEUED).count()
    before = post.client.counted
    post.client.fate, post.client.before_take = lambda address: 200, lambda: None
    lose_leases(settings)
    send(campaign)
    waiting = set(
        Delivery.objects.filter(campaign_id=campaign.pk, status=Status.QUEUED).values_list("address", flat=True)
    )
    assert len(waiting) >= requeued
    assert all(post.client.counted[address] == before[address] for address in waiting)
    retried(campaign)
    assert reported(campaign) == {("sent", ""): 300}


# ---- stop, pause -------------------------------------------------------------------------------------------------


def test_the_counts_after_a_stop_are_exact_at_once_and_stay_so(post: Post) -> None:
    post.people(2_000)
    campaign = post.running()
    moments: list[dict[tuple[str, str], int]] = []

    def press_stop() -> None:
        if len(post.client.begun) >= 600 and not moments:
            stop(campaign)
            moments.append(reported(campaign))

    post.client.before_take = press_stop
    send(campaign)
    begun = len(post.client.begun)
    assert 600 <= begun < 2_000
    assert reported(campaign) == {("sent", ""): begun, ("cancelled", "stopped"): 2_000 - begun}
    stopping.cancel_rows(campaign.pk)
    assert reported(campaign) == {("sent", ""): begun, ("cancelled", "stopped"): 2_000 - begun}
    account(campaign)
    assert reported(campaign) == ledger(campaign) == {("sent", ""): begun, ("cancelled", "stopped"): 2_000 - begun}
    assert moments[0]["cancelled", "stopped"] == 2_000 - moments[0].get(("sent", ""), 0) - moments[0]["sending", ""]
    assert Campaign.objects.get(pk=campaign.pk).accounted_at is not None


def test_shards_that_never_began_count_as_cancelled_after_a_stop(post: Post, settings: Settings) -> None:
    settings.SHARD_SIZE = 10
    post.people(30)
    campaign = post.running()
    first = shards_of(campaign)[0]
    Sender(claim.claim(first.pk, "one")).run()  # type: ignore[arg-type]
    stop(campaign)
    expected = {("sent", ""): 10, ("cancelled", "stopped"): 20}
    assert reported(campaign) == expected  # right after the stop
    stopping.cancel_rows(campaign.pk)
    assert reported(campaign) == expected
    account(campaign)
    assert reported(campaign) == ledger(campaign) == expected


def test_messages_that_wait_in_the_transport_at_a_stop_end_cancelled(post: Post) -> None:
    post.people(100)
    campaign = post.running()
    post.client.max_in_flight, post.client.latency = 1, 0.01
    post.client.before_take = lambda: stop(campaign) if len(post.client.begun) == 3 else None
    send(campaign)
    begun = len(post.client.begun)
    assert 3 <= begun < 100
    stopping.cancel_rows(campaign.pk)
    expected = {("sent", ""): begun, ("cancelled", "stopped"): 100 - begun}
    assert reported(campaign) == expected
    retried(campaign)
    account(campaign)
    assert reported(campaign) == ledger(campaign) == expected
    assert len(post.client.begun) == begun


def test_messages_that_wait_in_the_transport_at_a_pause_are_sent_once_after_it(post: Post) -> None:
    tokens = post.people(100)
    campaign = post.running()
    post.client.max_in_flight, post.client.latency = 1, 0.01
    paused: list[int] = []

    def pause() -> None:
        if len(post.client.begun) == 3 and not paused:
            paused.append(3)
            pausing.pause(campaign.tenant_id, campaign.pk)

    post.client.before_take = pause
    send(campaign)
    post.client.max_in_flight, post.client.latency = 1_000, 0.0
    pausing.resume(campaign.tenant_id, campaign.pk)
    send(campaign)
    retried(campaign)
    assert post.client.counted == dict.fromkeys(tokens, 1)
    assert reported(campaign) == {("sent", ""): 100}


def test_a_pause_amid_a_shard_loses_nothing_and_repeats_nothing(post: Post) -> None:
    tokens = post.people(2_000)
    campaign = post.running()

    def pause() -> None:
        if len(post.client.begun) >= 600:
            pausing.pause(campaign.tenant_id, campaign.pk)

    post.client.before_take = pause
    send(campaign)
    post.client.before_take = lambda: None
    shard = shard_of(campaign)
    assert (shard.state, shard.lease_until) == (Shard.State.ARMED, None)
    begun = len(post.client.begun)
    assert reported(campaign) == {("sent", ""): begun, ("armed", ""): 2_000 - begun}
    send(campaign)  # a late wakeup
    assert len(post.client.begun) == begun
    pausing.resume(campaign.tenant_id, campaign.pk)
    send(campaign)
    assert post.client.counted == dict.fromkeys(tokens, 1)
    assert reported(campaign) == {("sent", ""): 2_000}


def test_a_stop_while_a_token_is_fetched_lets_nothing_begin(post: Post) -> None:
    post.people(100)
    campaign = post.running()
    post.client.before_token = lambda: stop(campaign)
    send(campaign)
    assert post.client.begun == []
    assert reported(campaign) == {("cancelled", "stopped"): 100}


def test_a_worker_lost_after_a_stop_leaves_exact_counts(post: Post, settings: Settings) -> None:
    post.people(1_000)
    campaign = post.running()

    def stop_and_die() -> None:
        if len(post.client.begun) == 400:
            stop(campaign)
            raise Killed

    post.client.fate = lambda address: 200 if len(post.client.begun) <= 150 else SILENCE
    post.client.before_take = stop_and_die
    send_and_die(campaign)
    shard = shard_of(campaign)
    doubt = shard.begun - shard.sent
    before = reported(campaign)
    assert before["sending", ""] == doubt and before["cancelled", "stopped"] == 1_000 - shard.begun
    lose_leases(settings)
    stopping.cancel_rows(campaign.pk)
    expected = {("unknown", "in_doubt"): doubt, ("cancelled", "stopped"): 1_000 - shard.begun}
    if shard.sent:
        expected["sent", ""] = shard.sent
    assert reported(campaign) == expected
    account(campaign)
    assert reported(campaign) == ledger(campaign) == expected
