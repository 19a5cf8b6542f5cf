"""The limits of API keys: shared by the keys of a tenant, and kept when they change."""

from __future__ import annotations

import uuid

import pytest

from notifier.errors import RateLimited
from notifier.rates import limits
from notifier.rates.leasing import leasing
from notifier.rates.recent import Recent
from notifier.vocabulary.rates import Rates

TENANT = uuid.uuid4()


def test_keys_of_a_tenant_share_its_buckets_and_have_their_own() -> None:
    first = limits.of_key(TENANT, uuid.uuid4(), Rates(100, None), Rates(5, None))
    second = limits.of_key(TENANT, uuid.uuid4(), Rates(100, None), Rates())
    assert first.requests[0] is second.requests[0]
    assert [bucket.name for bucket in first.buckets] == ["requests", "key-requests"]
    assert [bucket.name for bucket in second.buckets] == ["requests"]


def test_a_changed_rate_keeps_the_tokens_however_often_it_goes_back_and_forth() -> None:
    key = uuid.uuid4()
    caller = limits.of_key(TENANT, key, Rates(100, 100), Rates(5, None))
    for bucket in caller.buckets:
        bucket.tokens = 7
    for rate in (200, 100, 200):
        caller = limits.of_key(TENANT, key, Rates(rate, 100), Rates(5, None))
        assert [(bucket.tokens, bucket.rate) for bucket in caller.requests] == [(7, rate), (7, 5)]
    assert limits.of_key(TENANT, key, Rates(200, 100), Rates(5, None)) is caller


def test_a_caller_without_any_limit_has_no_buckets() -> None:
    assert limits.of_key(uuid.uuid4(), uuid.uuid4(), Rates(), Rates()).buckets == ()
    assert limits.of_other("address", "address:1", 0).buckets == ()


def test_new_callers_take_the_place_of_those_who_were_silent_longest() -> None:
    caller = limits.of_other("inbox", "inbox:honest", 20)
    for n in range(limits.MOST + 10):
        limits.of_other("inbox", f"inbox:invented-{n}", 20)
        assert n % 1_000 or limits.of_other("inbox", "inbox:honest", 20) is caller
    first = Recent[int](2)
    for name in ("a", "b", "c"):
        first.put(name, 1)
    assert [first.get(name) for name in ("a", "b", "c")] == [None, 1, 1]


def test_a_late_lease_is_no_redis_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leasing, "patience", 0.0)
    key = uuid.uuid4()
    limits.of_key(uuid.uuid4(), key, Rates(), Rates(None, 1))
    limits.take_recipients(key, 1)  # of the share of this process
    assert not leasing.away
    with pytest.raises(RateLimited):
        for _ in range(60):
            limits.take_recipients(key, 1)
