"""Token buckets against a real Valkey: all workers together never get more than rate x time, and a 429 is learned from.

The same is asked of the buckets that a process keeps while Redis is away."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from notifier.delivery.accounts import rate_limits
from notifier.delivery.accounts.rate_limits import (
    Limit,
    account_limit,
    campaign_limit,
    record_throttling,
    take_for_account,
    take_tokens,
)
from notifier.delivery.infra import redis

#: share by which a busy machine may lag behind the rate
LAG = 0.2


@pytest.fixture(params=["shared", "local"], autouse=True)
def where(request: pytest.FixtureRequest, settings: Settings) -> Iterator[None]:
    """Buckets in Valkey, and those of a process whose Redis refuses connections."""
    if request.param == "local":
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        redis.reset()
    yield
    redis.reset()
    rate_limits.reset()


def drain(seconds: float, wanted: int, *buckets: Limit) -> int:
    """What one worker gets in this time that asks again as soon as it may; what waited for a slow worker is taken at
    the end."""
    got, until, grant = 0, time.monotonic() + seconds, rate_limits.Grant(wanted, 0.0)
    while time.monotonic() < until or 1 < wanted == grant.granted:
        grant = take_tokens(wanted, *buckets)
        got += grant.granted
        assert 0 <= grant.granted <= wanted and (grant.wait > 0) == (grant.granted < wanted)
        time.sleep(max(0.0, min(grant.wait, until - time.monotonic())))
    return got


class Stopwatch:
    """Seconds since `began`: other load on the machine makes each pause of a test longer."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


def refused(account: uuid.UUID, after: float | None, times: int = rate_limits.REFUSALS) -> None:
    record_throttling(account, after)
    record_throttling(account, after, times - 1)


def together(workers: int, work: Callable[[], int]) -> tuple[int, float]:
    """What so many workers get, and in how many seconds."""
    got: list[int] = []
    began = time.monotonic()
    threads = [threading.Thread(target=lambda: got.append(work())) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == workers
    return sum(got), time.monotonic() - began


@pytest.mark.parametrize(("rate", "wanted", "workers"), [(50.0, 400, 4), (2_000.0, 400, 8), (5_000.0, 1, 2)])
def test_all_workers_together_get_the_rate_and_no_more(rate: float, wanted: int, workers: int) -> None:
    bucket = account_limit(uuid.uuid4(), rate)
    took, seconds = together(workers, lambda: drain(1.5, wanted, bucket))
    assert took <= bucket.burst + rate * seconds
    if wanted > 1:
        assert took >= rate * 1.5 * (1 - LAG) - bucket.burst / 2  # which is waited for


def test_a_campaigns_hundred_a_second_is_a_hundred_in_its_first_second() -> None:
    bucket = campaign_limit(uuid.uuid4(), 100.0)
    took, seconds = together(4, lambda: drain(1.0, 400, bucket))
    assert 100 * (1 - LAG) <= took <= 10 + 100 * seconds
    time.sleep(0.5)  # a pause, in which nothing is saved up for later
    assert take_tokens(400, bucket).granted <= 10


def test_both_limits_hold_and_neither_loses_what_the_other_refuses() -> None:
    account, fast, slow = uuid.uuid4(), campaign_limit(uuid.uuid4(), 1_000.0), campaign_limit(uuid.uuid4(), 20.0)
    both = account_limit(account, 100.0)
    watch = Stopwatch()
    take_tokens(1, both, fast, slow)
    time.sleep(0.5)
    took_slow = take_for_account(account, 100.0, 400, slow).granted
    took_fast = take_for_account(account, 100.0, 400, fast).granted
    assert took_slow in (1, 2)
    # the account's bucket still has what the slow campaign was not granted
    assert 50 * (1 - LAG) <= took_slow + took_fast <= 100 * watch.seconds


def test_a_slow_limit_fills_during_a_long_pause() -> None:
    bucket = account_limit(uuid.uuid4(), 0.5)
    watch = Stopwatch()
    assert take_tokens(1, bucket).granted == 0
    wait = take_tokens(1, bucket).wait
    assert 1.99 - watch.seconds <= wait <= 2.0
    time.sleep(2.1)
    assert take_tokens(5, bucket).granted == 1


def test_without_a_rate_everything_is_granted() -> None:
    assert take_for_account(uuid.uuid4(), None, 400) == rate_limits.Grant(400, 0.0)
    assert take_for_account(uuid.uuid4(), None, 400, campaign_limit(uuid.uuid4(), None)) == rate_limits.Grant(400, 0.0)


@pytest.mark.parametrize("rate", [None, 1_000.0])
def test_a_429_stops_the_account_for_as_long_as_the_provider_says(rate: float | None) -> None:
    account = uuid.uuid4()
    take_for_account(account, rate, 1)
    watch = Stopwatch()
    refused(account, 1.3)
    record_throttling(account, None)  # a shorter one does not shorten it
    grant = take_for_account(account, rate, 400, campaign_limit(uuid.uuid4(), 1_000.0))
    assert grant.granted == 0 and 1.29 - watch.seconds <= grant.wait <= 1.3
    time.sleep(1.35)
    granted = take_for_account(account, rate, 400).granted
    assert granted == 400 if rate is None else granted <= (watch.seconds - 1.3) * rate  # it begins empty


def test_a_429_without_a_time_stops_for_a_second_and_an_absurd_time_is_cut() -> None:
    account, absurd = uuid.uuid4(), uuid.uuid4()
    watch = Stopwatch()
    refused(account, None)
    refused(absurd, 1e12)
    waits = [take_for_account(stopped, None, 1).wait for stopped in (account, absurd)]
    assert 0.99 - watch.seconds <= waits[0] <= 1.0
    assert 599.9 - watch.seconds <= waits[1] <= 600


def test_after_a_429_the_account_is_slower_and_recovers() -> None:
    account, rate = uuid.uuid4(), 1_000.0
    bucket = account_limit(account, rate)
    take_tokens(1, bucket)
    watch = Stopwatch()
    refused(account, 1.0, times=20)  # everything in flight is refused: one stop
    time.sleep(1.0)
    took, free = drain(0.5, 20, bucket), watch.seconds - 1.0
    assert took / (0.5 * rate) >= 0.7 * (1 - LAG)
    assert took <= (0.7 + rate_limits.RECOVERY * free) * free * rate
    time.sleep(2.0)
    again = Stopwatch()
    take_tokens(1_000, bucket)
    took = drain(0.5, 20, bucket)
    assert took / (0.5 * rate) >= 0.7 + 2.5 * rate_limits.RECOVERY - 0.05
    assert took <= min(1.0, 0.7 + rate_limits.RECOVERY * (watch.seconds - 1.0)) * again.seconds * rate


def test_each_stop_slows_the_account_further() -> None:
    account, rate, whole = uuid.uuid4(), 1_000.0, Stopwatch()
    for _ in range(3):
        watch = Stopwatch()
        refused(account, 1.0)
        time.sleep(1.01)
    took, free = drain(0.5, 20, account_limit(account, rate)), watch.seconds - 1.0
    assert took / (0.5 * rate) >= 0.7**3 * (1 - LAG)
    assert took <= (0.7**3 + rate_limits.RECOVERY * (whole.seconds - 3.0)) * free * rate


def test_429s_never_stop_an_account_for_good() -> None:
    account = uuid.uuid4()
    for _ in range(100):
        record_throttling(account, 0.0, shortest=0.0)
    # the share at the lowest: the first token of a limit of 20 a second takes a second
    assert 0.9 <= take_for_account(account, 20.0, 1).wait <= 1.1


def test_single_429s_are_about_their_devices() -> None:
    account = uuid.uuid4()
    refused(account, 60.0, times=rate_limits.REFUSALS - 1)
    assert take_for_account(account, None, 400).granted == 400
    time.sleep(1.01)
    refused(account, 60.0, times=rate_limits.REFUSALS - 1)
    assert take_for_account(account, None, 400).granted == 400
    record_throttling(account, 60.0)
    assert take_for_account(account, None, 400).granted == 0
