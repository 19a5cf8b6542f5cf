"""One bucket of a process: what it grants, owes and shows."""

from __future__ import annotations

from notifier.rates import fields
from notifier.rates.bucket import Bucket


def bucket(rate: float = 100.0, tokens: float = 0.0) -> Bucket:
    return Bucket("requests", "rate:test", rate, tokens=tokens)


def test_it_grants_what_it_holds_and_no_more() -> None:
    held = bucket(tokens=3)
    assert [held.take() for _ in range(5)] == [True, True, True, False, False]


def test_a_request_larger_than_the_bucket_is_let_in_and_owes_the_rest() -> None:
    held = bucket(rate=10, tokens=5)
    assert held.take(1000)
    assert (held.tokens, held.take(1)) == (-995, False)
    assert held.want() == 1000  # the debt, and a block
    assert held.want(60) == 1060  # and what requests wait for
    assert held.seconds_to_one() == 100


def test_a_dry_limit_is_not_asked_again_at_once() -> None:
    held = bucket(rate=2)
    held.leased(0.0, 0.0, now=50.0)
    assert 50.0 < held.dry_until <= 51.0
    assert not held.needs_lease(now=50.4) and held.needs_lease(now=50.5)
    held.leased(1.0, 0.0, now=51.0)
    assert held.take() and not held.needs_lease(now=51.0)
    held.leased(1.0, 19.0, now=52.0)
    assert held.take() and held.needs_lease(now=52.0)


def test_a_bucket_that_gave_its_tokens_back_may_lease_at_once() -> None:
    held = bucket()
    held.leased(0.0, 1000.0, now=50.0)
    assert held.dry_until == 0.0


def test_without_redis_it_fills_by_its_share_and_not_beyond() -> None:
    held = bucket(rate=100)
    held.fill_locally(0.25, now=10.0)
    assert held.tokens == 25
    held.fill_locally(0.25, now=10.5)
    assert held.tokens == 37.5
    held.fill_locally(0.25, now=1000.0)
    assert held.tokens == 250  # a quarter of ten seconds' worth


def test_a_slow_limit_lets_one_request_through_without_redis() -> None:
    held = bucket(rate=0.1)
    held.fill_locally(0.5, now=10.0)
    assert held.take()


def test_the_fields_say_what_is_left_and_when_all_is_there_again() -> None:
    held = bucket(rate=100, tokens=40)
    held.left, held.left_at = 500, 10.0
    assert fields.policy([held]) == b'"requests";q=1000;w=10'
    assert fields.state([held], 10.0) == b'"requests";r=540;t=5'
    assert fields.state([held], 12.0) == b'"requests";r=740;t=3'
    assert fields.state([bucket(tokens=-7)], 10.0) == b'"requests";r=0;t=10'
