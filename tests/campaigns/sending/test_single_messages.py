"""Exceptions in a shard: throttled, refused and unauthorised messages, disabled accounts, a lost database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from pytest_django import Settings

from campaigns.lifecycle.fan_out.finish import finish_if_done
from campaigns.lifecycle.running import thresholds
from campaigns.models import Campaign, Shard
from campaigns.sending import claim, in_flight
from campaigns.sending.sender import Sender
from campaigns.shard.outcomes import release_shard, write_outcomes
from notifier.channels.push import PushMessage
from notifier.delivery.accounts import health, registry
from notifier.delivery.infra import redis
from notifier.models import Delivery, ProviderAccount
from notifier.providers.body_template import BodyTemplate, Placeholders
from notifier.providers.fcm import Fcm, FcmConfig
from notifier.vocabulary.http import TokenRefused, TransportError
from notifier.vocabulary.status import Status
from tests.campaigns.fake_client import (
    BUSY,
    DEAD,
    NO_APPLE_KEY,
    TEXT,
    TOO_MANY,
    UNAUTHORISED,
    Post,
    account,
    claimed,
    ledger,
    lose_leases,
    make_undecryptable,
    post,
    reported,
    retried,
    send,
    shard_of,
    stop,
)
from tests.campaigns.faults import lost_once

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]


# ---- limits ------------------------------------------------------------------------------------------------------


def test_a_429_stops_the_account_at_once(post: Post) -> None:
    post.people(2_000)
    campaign = post.running()
    post.client.fate = lambda address: TOO_MANY
    before = scripts_run()
    stopping = threading.Timer(2.0, stop_in_thread, [campaign])
    stopping.start()
    send(campaign)
    stopping.join()
    assert len(post.client.begun) <= post.client.streams
    assert 0 < scripts_run() - before < 50  # the sender sleeps meanwhile, and does not spin


def test_a_campaign_s_speed_limit_is_kept_without_spinning(post: Post) -> None:
    post.people(20)
    campaign = post.running(rate_per_s=20.0)
    before = scripts_run()
    send(campaign)
    assert len(post.client.begun) == 20
    assert 0 < scripts_run() - before < 100


def scripts_run() -> int:
    """How many scripts Redis has run: a sender asks its rate limits by a script."""
    stats: dict[str, Any] = redis.client().info("commandstats")
    return sum(int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("eval", "evalsha"))


def stop_in_thread(campaign: Campaign) -> None:
    try:
        stop(campaign)
    finally:
        connection.close()


# ---- refused and failed messages -----------------------------------------------------------------------------------


def test_each_message_counts_once_while_it_is_retried_by_the_engine(post: Post) -> None:
    tokens = post.people(600)
    campaign = post.running()
    flaky, dead = set(tokens[:100]), set(tokens[100:130])
    post.client.fate = lambda address: BUSY if address in flaky else DEAD if address in dead else 200
    post.client.before_take = lambda: check(reported(campaign))

    def check(figures: dict[tuple[str, str], int]) -> None:
        assert sum(figures.values()) == 600

    send(campaign)
    expected = {("sent", ""): 470, ("failed", "dead_address"): 30, ("queued", ""): 100}
    assert reported(campaign) == expected
    assert not finish_if_done(campaign.pk)
    rows = Delivery.objects.filter(campaign_id=campaign.pk, status=Status.QUEUED)
    assert [row.content for row in rows] == [TEXT] * 100
    retried(campaign)  # busy again
    assert reported(campaign) == expected
    post.client.fate = lambda address: 200
    retried(campaign)
    assert reported(campaign) == {("sent", ""): 570, ("failed", "dead_address"): 30}
    assert finish_if_done(campaign.pk)
    account(campaign)
    assert reported(campaign) == ledger(campaign) == {("sent", ""): 570, ("failed", "dead_address"): 30}


def test_a_token_that_ends_amid_a_batch_is_forgotten_and_the_messages_are_tried_again(post: Post) -> None:
    tokens = post.people(100)
    campaign = post.running()
    post.client.fate = lambda address: UNAUTHORISED if len(post.client.begun) > 60 else 200
    send(campaign)
    assert post.client.forgotten_tokens
    assert reported(campaign) == {("sent", ""): 60, ("queued", ""): 40}
    post.client.fate = lambda address: 200
    retried(campaign)
    assert set(post.client.counted) == set(tokens)
    assert reported(campaign) == {("sent", ""): 100}


def test_a_project_without_a_key_for_apple_fails_its_iphones_alone(post: Post) -> None:
    phones, iphones = post.people(300, "android"), post.people(300, "iphone")
    campaign = post.running()
    post.client.fate = lambda address: NO_APPLE_KEY if address.startswith("iphone") else 200
    send(campaign)
    assert reported(campaign) == {("sent", ""): 300, ("failed", "misconfigured"): 300}
    assert post.client.counted == dict.fromkeys([*phones, *iphones], 1)
    assert not post.client.forgotten_tokens
    assert health.read_weights([post.account.pk])[post.account.pk] == health.FULL


def test_a_campaign_to_iphones_without_a_key_for_apple_halts(post: Post) -> None:
    post.people(1_000)
    campaign = post.running(max_error_percent=20)
    post.client.fate = lambda address: NO_APPLE_KEY
    send(campaign)
    campaign.refresh_from_db()
    assert "401 THIRD_PARTY_AUTH_ERROR: upload the APNs key" in campaign.halted


@pytest.mark.parametrize("temporary", [True, False])
def test_without_a_token_every_message_waits_in_the_ledger_and_none_begins(post: Post, temporary: bool) -> None:
    post.people(100)
    campaign = post.running()

    def refuse() -> None:
        raise TokenRefused("no", temporary=temporary)

    post.client.before_token = refuse
    send(campaign)
    assert post.client.begun == []
    assert reported(campaign) == {("queued", ""): 100}


def test_settings_that_cannot_be_decrypted_keep_no_shard_for_ever(post: Post) -> None:
    post.people(10)
    campaign = post.running()
    make_undecryptable(post.account)
    send(campaign)
    assert reported(campaign) == {("queued", ""): 10}
    assert shard_of(campaign).state == Shard.State.DONE
    assert not Delivery.objects.filter(detail__contains="secret").exists()


class WithoutTemplates(Fcm):
    name = ""  # in no registry

    def body_template(self, message: PushMessage, placeholders: Placeholders, token: str) -> BodyTemplate:
        raise KeyError("title")


def test_messages_whose_body_template_fails_are_sent_singly(post: Post) -> None:
    tokens = post.people(10)
    campaign = post.running()
    registry.override_provider(post.account.pk, WithoutTemplates(FcmConfig.sandbox("https://fcm.test")))
    send(campaign)
    registry.reset()
    assert sorted(post.client.sent_singly) == sorted(tokens)
    assert post.client.counted == dict.fromkeys(tokens, 1)
    assert reported(campaign) == {("sent", ""): 10}


def test_an_account_that_is_switched_off_in_mid_shard_sends_nothing_more(post: Post) -> None:
    post.people(2_000)
    campaign = post.running()

    def switch_off() -> None:
        ProviderAccount.objects.filter(pk=post.account.pk).update(enabled=False)
        registry.reset()

    post.client.before_take = switch_off
    send(campaign)
    assert len(post.client.begun) <= post.client.streams + in_flight.MAX_CHUNK
    figures = reported(campaign)
    assert figures["failed", "no_account"] == 2_000 - len(post.client.begun)
    account(campaign)
    assert reported(campaign) == figures


def test_answers_survive_a_lost_database_when_one_of_them_needs_another_account(post: Post, settings: Settings) -> None:
    tokens = post.people(100)
    campaign = post.running()
    post.client.fate = lambda address: BUSY if address == tokens[50] else 200
    with lost_once('"tenants_tenant"') as lost:
        try:
            send(campaign)
        except OperationalError:
            lose_leases(settings)
            send(campaign)
    assert lost
    retried(campaign)
    assert {token for token, count in post.client.counted.items() if count > 1} <= {tokens[50]}
    assert reported(campaign) == {("sent", ""): 99, ("queued", ""): 1}


@pytest.mark.parametrize("at", range(1, 9))
def test_answers_are_kept_while_the_database_is_away(post: Post, at: int) -> None:
    tokens = post.people(700)
    campaign = post.running()
    post.client.fate = lambda address: BUSY if address in tokens[:20] else 200
    calls = 0

    def flaky(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            result = real(*args, **more) if calls % 2 else None
            if calls == at:  # before or after it was committed
                raise OperationalError("the connection is lost")
            return result if calls % 2 else real(*args, **more)

        return call

    Sender(claimed(campaign), flaky(write_outcomes), flaky(release_shard)).run()
    assert post.client.counted == dict.fromkeys(tokens, 1)
    assert reported(campaign) == {("sent", ""): 680, ("queued", ""): 20}
    post.client.fate = lambda address: 200
    retried(campaign)
    assert reported(campaign) == {("sent", ""): 700}


def test_a_shard_that_is_paused_while_the_database_is_away_loses_no_answer(post: Post, settings: Settings) -> None:
    tokens = post.people(1_000)
    campaign = post.running()

    def pause() -> None:
        if len(post.client.begun) >= 400:
            Campaign.objects.filter(pk=campaign.pk, state="running").update(state="paused")

    post.client.before_take = pause
    with lost_once('AS "a" FROM "campaigns_campaign"') as lost:
        try:
            send(campaign)
        except OperationalError:
            lose_leases(settings)
    assert lost
    Campaign.objects.filter(pk=campaign.pk).update(state="running")
    post.client.before_take = lambda: None
    send(campaign)
    assert post.client.counted == dict.fromkeys(tokens, 1)
    assert reported(campaign) == {("sent", ""): 1_000}


def test_a_campaign_that_expires_before_its_messages_begin_sends_none(post: Post) -> None:
    post.people(5)
    campaign = post.running(not_after=datetime.now(UTC) + timedelta(hours=1))
    Campaign.objects.filter(pk=campaign.pk).update(not_after=datetime.now(UTC) - timedelta(seconds=1))
    claim.reset()
    send(campaign)
    assert post.client.begun == []
    assert reported(campaign) == {("expired", "not_after"): 5}


def test_a_retry_is_requeued_once_when_the_answer_to_the_commit_is_lost(post: Post) -> None:
    """The connection broke after the commit; the engine was faster than the sender's second try to write."""
    tokens = post.people(10)
    campaign = post.running()
    post.client.fate = lambda address: BUSY
    lost: list[bool] = []

    def lose_answer() -> None:
        lost.append(True)
        post.client.fate = lambda address: 200
        retried(campaign)
        raise OperationalError("the connection is lost")

    def losing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if connection.in_atomic_block and not lost:  # the transaction that also requeues
                transaction.on_commit(lose_answer)
            return real(*args, **more)

        return call

    Sender(claimed(campaign), losing(write_outcomes), losing(release_shard)).run()
    assert lost
    retried(campaign)
    assert post.client.counted == dict.fromkeys(tokens, 2)
    assert reported(campaign) == {("sent", ""): 10}


# ---- without an answer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["t{}", "c" + "x" * 18 + "{:03}"], ids=["in a batch", "singly"])
@pytest.mark.parametrize(
    ("answer", "skipped"),
    [
        (TransportError(True, "connection lost", disconnected=True), 60),
        (TransportError(True, "no answer within the timeout"), 0),
        (TransportError(False, "no stream came free within the timeout", disconnected=True), 60),
        (TransportError(False, "connection ended before it: NO_ERROR", disconnected=True), 60),
        (TransportError(False, "cannot be sent: a header"), 0),
    ],
    ids=["lost", "timeout", "no stream", "goaway", "unsendable"],
)
def test_messages_on_a_lost_connection_are_no_errors_and_are_tried_again(
    post: Post, answer: TransportError, skipped: int, form: str
) -> None:
    tokens = [form.format(n) for n in range(300)]
    for token in tokens:
        post.person(token)
    campaign = post.running()
    lost = set(tokens[:60])
    post.client.fate = lambda token: answer if token in lost else 200
    send(campaign)
    assert bool(post.client.sent_singly) == form.startswith("c")
    shard = shard_of(campaign)
    assert (shard.sent, shard.failed, shard.requeued, shard.skipped, shard.disconnected) == (
        240,
        0,
        60,
        skipped,
        skipped,
    )
    campaign.max_error_percent = 19
    reason = "" if skipped else "20 % of 300 messages failed; the limit is 19 %."
    assert thresholds.reason_to_halt(shard, campaign) == reason
    post.client.fate = lambda token: 200
    retried(campaign)
    assert reported(campaign) == {("sent", ""): 300}
    assert set(post.client.counted) == set(tokens)


def test_counts_of_lost_connections_survive_a_change_of_the_worker(post: Post) -> None:
    post.people(300)
    campaign = post.running()
    post.client.fate = lambda token: (
        TransportError(True, "connection lost", disconnected=True) if int(token[1:]) < 60 else 200
    )
    Sender(claimed(campaign)).run()
    Shard.objects.filter(campaign=campaign).update(state="armed")
    again = claimed(campaign)
    assert (again.outcomes.skipped, again.outcomes.disconnected) == (60, 60)
