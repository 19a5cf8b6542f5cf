"""The limits of API keys: shared by the keys of a tenant, and kept when they change."""

from __future__ import annotations

import uuid

from notifier.rates import limits
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
