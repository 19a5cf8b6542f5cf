"""What a killed process had heard from the mail server: its successor reads it in Redis, and repeats less."""

from __future__ import annotations

import time
import uuid

import pytest
from pytest_django import Settings

from campaigns.sending import accepted_log
from campaigns.sending.accepted_log import AcceptedLog, read_accepted
from campaigns.sending.claim import claim
from campaigns.shard.outcomes import write_outcomes
from notifier.delivery.infra import redis
from tests.campaigns.fake_client import Post, claimed, lose_leases, post, reported, send, shard_of

__all__ = ["post"]


def wait_until_accepted(shard_id: uuid.UUID, expected: list[int]) -> None:
    until = time.monotonic() + 60
    while (accepted := read_accepted(shard_id, range(100))) != expected:
        assert time.monotonic() < until, accepted
        time.sleep(0.01)


def test_the_next_process_knows_what_was_accepted() -> None:
    log = AcceptedLog(shard := uuid.uuid4())
    log.start()
    log.noting(range(10, 20))([0, 3])
    log.noting([40, 50, 60])([2])
    wait_until_accepted(shard, [10, 13, 60])
    AcceptedLog(shard).start()  # the next process
    wait_until_accepted(shard, [10, 13, 60])
    assert read_accepted(shard, [13, 14]) == [13] and read_accepted(uuid.uuid4(), [13]) == []
    assert 0 < redis.client().ttl(f"accepted:{shard}") <= accepted_log.KEEP_SECONDS


def test_without_redis_nothing_is_known_and_nothing_fails(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    redis.reset()
    accepted_log.reset()
    try:
        log = AcceptedLog(shard := uuid.uuid4())
        log.start()
        log.noting(range(5))([1])
        assert read_accepted(shard, range(5)) == []
    finally:
        redis.reset()
        accepted_log.reset()


@pytest.mark.django_db(transaction=True)
def test_a_message_that_was_accepted_before_the_kill_is_not_repeated(post: Post, settings: Settings) -> None:
    tokens = post.people(5)
    campaign = post.running()
    lost = claimed(campaign)
    assert write_outcomes(lost.outcomes, lost.id, lost.fence, 3).running
    log = AcceptedLog(lost.id)
    log.start()
    log.noting(range(5))([0, 2])
    wait_until_accepted(lost.id, [0, 2])
    lose_leases(settings)
    again = claim(shard_of(campaign).pk, "next")
    assert again is not None and again.in_doubt == {1} and again.outcomes.sent == 2
    lose_leases(settings)
    send(campaign)
    addresses = lost.payload.addresses
    assert post.client.counted == dict.fromkeys(set(tokens) - {addresses[0], addresses[2]}, 1)
    assert reported(campaign) == {("sent", ""): 5}
