"""Outcomes are not copied into the ledger beside a campaign that leaves as fast as it can."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import Settings

from campaigns.lifecycle.launching import launch
from campaigns.models import Campaign, Shard
from campaigns.report import accounting
from campaigns.shard import full_speed
from notifier.delivery.accounts import registry
from notifier.delivery.infra import redis
from notifier.models import ProviderAccount
from tests.broker import redis_away
from tests.campaigns.fake_client import Post, ledger, post, reported, send

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post", "redis_away"]


@pytest.fixture(autouse=True)
def no_campaign_at_full_speed() -> Iterator[None]:
    redis.client().flushdb()
    full_speed.reset()
    yield
    redis.client().flushdb()
    full_speed.reset()


def some_campaign_at_full_speed() -> None:
    redis.client().set("campaigns:full_speed", 1, px=60_000)


#: shards of ten messages are not small in these tests
SMALL = 5


@pytest.fixture
def blast(post: Post, settings: Settings) -> Campaign:
    """A running campaign: three of its four shards of ten ended 31 seconds ago."""
    settings.SHARD_SIZE = 10
    post.people(40)
    campaign = post.running()
    send(campaign)
    last = Shard.objects.filter(campaign=campaign).latest("number")
    Shard.objects.filter(campaign=campaign).exclude(pk=last.pk).update(ended_at=ago(31))
    Shard.objects.filter(pk=last.pk).update(state="armed", begun=0, ended_at=None)
    Campaign.objects.filter(pk=campaign.pk).update(state="running", finished_at=None)
    campaign.refresh_from_db()
    full_speed.reset()
    redis.client().flushdb()
    return campaign


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def ended(campaign: Campaign, seconds_ago: float) -> None:
    Shard.objects.filter(campaign=campaign, state="done").update(ended_at=ago(seconds_ago))


@pytest.mark.parametrize(
    ("at_full_speed", "state", "seconds_ago", "copied"),
    [
        (False, "running", 1, 0),
        (False, "running", 31, 30),
        (True, "running", 100, 0),
        (True, "running", 3_600, 30),  # nobody waits for ever
        (False, "paused", 1, 30),
        (True, "paused", 1, 0),  # another campaign is at full speed
        (False, "finished", 1, 30),
        (True, "finished", 1, 0),
        (True, "finished", 3_600, 30),
    ],
)
def test_what_is_copied_when(blast: Campaign, at_full_speed: bool, state: str, seconds_ago: float, copied: int) -> None:
    ended(blast, seconds_ago)
    Campaign.objects.filter(pk=blast.pk).update(state=state)
    if at_full_speed:
        some_campaign_at_full_speed()
    assert (blast.pk in accounting.due(SMALL)) == bool(copied)
    assert accounting.account(blast.pk, SMALL) == copied


def test_what_is_small_does_not_wait(blast: Campaign) -> None:
    some_campaign_at_full_speed()
    assert blast.pk in accounting.due(small=10)
    assert accounting.account(blast.pk, small=10) == 30


def test_full_speed_that_begins_in_the_middle_of_the_copying_is_heeded(blast: Campaign) -> None:
    assert accounting.account_one(blast.pk, SMALL) == 10
    some_campaign_at_full_speed()
    assert accounting.account(blast.pk, SMALL) == 0
    redis.client().flushdb()
    assert accounting.account(blast.pk, SMALL) == 20


def test_without_redis_no_campaign_counts_as_at_full_speed(blast: Campaign, redis_away: Callable[[], None]) -> None:
    redis_away()
    full_speed.note_grant(blast.pk, whole=True)
    assert full_speed.is_active() is False
    assert accounting.account(blast.pk, SMALL) == 30


def test_a_sender_without_a_limit_is_at_full_speed_until_it_ends_and_accounting_follows(post: Post) -> None:
    post.people(30)
    campaign = post.running()
    heard: list[tuple[bool, int]] = []
    post.client.before_take = lambda: heard.append(
        (full_speed.is_active(), redis.client().pttl("campaigns:full_speed"))
    )
    send(campaign)
    active, milliseconds_left = heard[0]
    assert active and 0 < milliseconds_left <= full_speed.EXPIRE * 1000
    redis.client().flushdb()
    assert accounting.account(campaign.pk) == 30
    assert reported(campaign) == ledger(campaign) == {("sent", ""): 30}


@pytest.mark.parametrize("whose", ["campaign", "account"])
def test_a_sender_that_a_limit_makes_slow_does_not(post: Post, whose: str) -> None:
    post.people(60)
    campaign = post.armed(rate_per_s=40.0 if whose == "campaign" else None)
    if whose == "account":
        ProviderAccount.objects.filter(pk=post.account.pk).update(rate_per_s=40)
        registry.reset()
    launch.go(campaign.tenant_id, campaign.pk)
    heard: list[bool] = []
    post.client.before_take = lambda: heard.append(full_speed.is_active())
    while Shard.objects.filter(campaign=campaign, state="armed").exists():
        send(campaign)
    assert heard and not any(heard)


def test_the_flag_is_set_twice_a_second_at_most(post: Post) -> None:
    campaign, began = post.template.pk, time.monotonic()
    before = commands("set")
    for _ in range(1_000):
        full_speed.note_grant(campaign, whole=True)
    most = 1 + (time.monotonic() - began) / full_speed.SET_EVERY
    assert 1 <= commands("set") - before <= most


def commands(name: str) -> int:
    """How often Redis ran this command."""
    return int(redis.client().info("commandstats").get(f"cmdstat_{name}", {}).get("calls", 0))
