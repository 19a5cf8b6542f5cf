"""Accounting copies outcomes into the ledger once, whichever process does it and whatever breaks; and closes the
campaign."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import pytest
from django.db import DatabaseError, connection
from pytest_django import Settings

from campaigns.lifecycle.fan_out.finish import finish_if_done
from campaigns.lifecycle.launching import launch
from campaigns.lifecycle.running import stopping
from campaigns.models import Campaign, Shard, ShardPayload
from campaigns.report import accounting
from campaigns.report.results import results
from campaigns.sending import claim
from campaigns.sending.sender import Sender
from notifier.delivery import redrive
from notifier.delivery.accounts import registry
from notifier.models import DeadLetter, Delivery, ProviderAccount
from notifier.vocabulary.status import Status
from tenants.models import AuditLog, Device
from tests.campaigns.fake_client import (
    BUSY,
    DEAD,
    SILENCE,
    Killed,
    Post,
    ledger,
    lose_leases,
    post,
    reported,
    retried,
    send,
    send_and_die,
    shards_of,
    stop,
)

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]


def audited(campaign: Campaign) -> list[dict[str, Any]]:
    rows = AuditLog.objects.filter(object_id=str(campaign.pk), action__in=["campaign.finished", "campaign.cancelled"])
    return list(rows.values_list("detail", flat=True))


@pytest.fixture
def sent(post: Post, settings: Settings) -> Campaign:
    """Forty messages in four shards: five addresses were dead; all is finished."""
    settings.SHARD_SIZE = 10
    tokens = post.people(40)
    post.client.fate = lambda token: DEAD if token in tokens[:5] else 200
    campaign = post.running()
    send(campaign)
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.FINISHED
    return campaign


EXPECTED = {("sent", ""): 35, ("failed", "dead_address"): 5}


def test_it_is_done_once_however_often_it_is_asked_for(sent: Campaign) -> None:
    assert reported(sent) == EXPECTED
    assert ledger(sent) == {("armed", ""): 40}
    assert accounting.account(sent.pk) == 40
    rows = list(Delivery.objects.filter(campaign_id=sent.pk).order_by("id").values())
    for _ in range(2):
        assert accounting.account(sent.pk) == 0
        assert not accounting.close(sent.pk)
    assert list(Delivery.objects.filter(campaign_id=sent.pk).order_by("id").values()) == rows
    assert reported(sent) == ledger(sent) == EXPECTED
    assert not ShardPayload.objects.filter(shard__campaign=sent).exists()
    assert audited(sent)[0]["counts"] == {"sent": 35, "failed": 5}
    assert len(audited(sent)) == 1
    assert sent.pk not in accounting.due()


def test_several_at_once_share_the_shards(sent: Campaign) -> None:
    together = Barrier(4)

    def work() -> int:
        try:
            together.wait(60)
            return accounting.account(sent.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        copied = [future.result() for future in [pool.submit(work) for _ in range(4)]]
    assert sum(copied) == 40
    assert reported(sent) == ledger(sent) == EXPECTED
    assert len(audited(sent)) == 1


@pytest.mark.parametrize(("event", "table"), [("UPDATE", "campaigns_shard"), ("DELETE", "campaigns_shardpayload")])
def test_a_crash_in_the_middle_leaves_the_shard_to_the_next(sent: Campaign, event: str, table: str) -> None:
    with refused_by_the_database(event, table), pytest.raises(DatabaseError):
        accounting.account(sent.pk)
    assert ledger(sent) == {("armed", ""): 40}
    assert reported(sent) == EXPECTED
    assert sent.pk in accounting.due()
    accounting.account(sent.pk)
    assert reported(sent) == ledger(sent) == EXPECTED
    assert len(audited(sent)) == 1


@contextmanager
def refused_by_the_database(event: str, table: str) -> Iterator[None]:
    """A trigger that fails this event of a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;"
            f"CREATE TRIGGER refuse BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse CASCADE")


def test_half_copied_the_figures_are_the_same(sent: Campaign) -> None:
    before = results(sent)
    accounting.account_one(sent.pk)
    assert reported(sent) == EXPECTED
    assert not accounting.close(sent.pk)
    accounting.account(sent.pk)
    after = results(sent)
    assert (before.sent, before.not_sent, before.channels) == (after.sent, after.not_sent, after.channels)
    for name in ("p50", "p95", "p99", "last"):
        was, now = getattr(before.times, name), getattr(after.times, name)
        assert was is not None and abs(was - now) <= 2, name
    assert sum(point.sent for point in after.throughput) == sum(point.sent for point in before.throughput) == 35


def test_dead_addresses_are_dead_afterwards(sent: Campaign) -> None:
    dead = Device.objects.filter(tenant=sent.tenant, dead_since__isnull=False)
    accounting.account(sent.pk)
    assert sorted(dead.values_list("token", flat=True)) == [f"t{n}" for n in range(5)]


def test_rows_carry_when_and_what_the_provider_said(sent: Campaign) -> None:
    accounting.account(sent.pk)
    for row in Delivery.objects.filter(campaign_id=sent.pk):
        assert row.attempt == 1 and sent.launched_at is not None and row.settled_at is not None
        assert sent.launched_at <= row.settled_at
        assert ("UNREGISTERED" in row.detail) == (row.status == Status.FAILED)


def test_accounting_waits_for_rows_that_the_ledger_still_tries(post: Post) -> None:
    post.people(10)
    post.client.fate = lambda token: BUSY if token == "t3" else 200
    campaign = post.running()
    send(campaign)
    Shard.objects.filter(campaign=campaign).update(ended_at="2020-01-01T00:00Z")
    accounting.account(campaign.pk)  # a running campaign's shard that ended long ago
    assert reported(campaign) == ledger(campaign) == {("sent", ""): 9, ("queued", ""): 1}
    assert audited(campaign) == []
    post.client.fate = lambda token: 200
    retried(campaign)
    finish_if_done(campaign.pk)
    accounting.account(campaign.pk)
    assert reported(campaign) == ledger(campaign) == {("sent", ""): 10}
    assert len(audited(campaign)) == 1


def test_a_running_campaign_has_the_database_alone(post: Post) -> None:
    post.people(10)
    post.client.fate = lambda token: BUSY
    campaign = post.running()
    send(campaign)
    assert accounting.account(campaign.pk) == 0
    assert campaign.pk not in accounting.due()


def test_after_a_stop_with_a_lost_worker_everything_is_accounted_for(post: Post, settings: Settings) -> None:
    settings.SHARD_SIZE = 10
    post.people(40)
    campaign = post.running()
    first, second, *_ = shards_of(campaign)
    Sender(claim.claim(first.pk, "one")).run()  # type: ignore[arg-type]

    def die() -> None:
        raise Killed

    post.client.fate, post.client.before_take = lambda token: SILENCE, die
    with pytest.raises(Killed):
        Sender(claim.claim(second.pk, "two")).run()  # type: ignore[arg-type]
    stop(campaign)
    stopping.cancel_rows(campaign.pk)
    accounting.account(campaign.pk)
    # the lost worker may come back and hear answers, until its lease ends
    assert reported(campaign) == {("sent", ""): 10, ("sending", ""): 10, ("cancelled", "stopped"): 20}
    assert audited(campaign) == []
    lose_leases(settings)
    stopping.cancel_rows(campaign.pk)
    accounting.account(campaign.pk)
    expected = {("sent", ""): 10, ("unknown", "in_doubt"): 10, ("cancelled", "stopped"): 20}
    assert reported(campaign) == ledger(campaign) == expected
    [entry] = audited(campaign)
    assert entry["counts"] == {"sent": 10, "unknown": 10, "cancelled": 20}
    attempts = dict(Delivery.objects.filter(campaign_id=campaign.pk).values_list("status", "attempt"))
    assert attempts == {Status.SENT: 1, Status.UNKNOWN: 1, Status.CANCELLED: 0}


def test_times_of_answers_whose_delays_were_lost_with_the_worker(post: Post, settings: Settings) -> None:
    post.people(300)
    campaign = post.running()

    def die() -> None:
        if Shard.objects.filter(campaign=campaign, sent__gt=0).exists():
            raise Killed

    post.client.latency = 0.001
    post.client.before_take = die
    send_and_die(campaign)
    stop(campaign)
    lose_leases(settings)
    stopping.cancel_rows(campaign.pk)
    before = results(Campaign.objects.get(pk=campaign.pk))
    accounting.account(campaign.pk)
    after = results(Campaign.objects.get(pk=campaign.pk))
    assert before.sent == after.sent > 0
    assert sum(point.sent for point in before.throughput) == before.sent
    assert before.throughput == after.throughput


def test_what_failed_for_want_of_an_account_is_a_dead_letter_that_can_be_driven_again(post: Post) -> None:
    tokens = post.people(3)
    campaign = post.running()
    ProviderAccount.objects.filter(pk=post.account.pk).update(enabled=False)
    registry.reset()
    send(campaign)
    assert reported(campaign) == {("failed", "no_account"): 3}
    accounting.account(campaign.pk)
    assert reported(campaign) == ledger(campaign) == {("failed", "no_account"): 3}
    letters = DeadLetter.objects.filter(tenant=post.tenant)
    assert letters.count() == 3
    ProviderAccount.objects.filter(pk=post.account.pk).update(enabled=True)
    registry.reset()
    assert redrive(post.tenant.pk, list(letters.values_list("pk", flat=True))) == 3
    Delivery.objects.filter(campaign_id=campaign.pk, account_id=None).update(account_id=post.account.pk)
    retried(campaign)
    assert post.client.counted == dict.fromkeys(tokens, 1)
    assert ledger(campaign) == {("sent", ""): 3}
    assert len(audited(campaign)) == 1


def test_a_silent_run_is_accounted_for_too(post: Post) -> None:
    post.people(5)
    campaign = post.armed(silent=True)
    launch.go(campaign.tenant_id, campaign.pk)
    send(campaign)
    accounting.account(campaign.pk)
    assert all(body["validate_only"] is True for body in post.client.bodies)
    assert reported(campaign) == ledger(campaign) == {("sent", ""): 5}
    assert len(audited(campaign)) == 1
