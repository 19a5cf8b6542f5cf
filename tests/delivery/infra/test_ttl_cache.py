"""What a process may believe for a while, and no longer."""

from __future__ import annotations

from notifier.delivery.infra.ttl_cache import TtlCache


def test_a_value_is_kept_for_its_seconds_only() -> None:
    now = 100.0
    cache = TtlCache[str, int](seconds=1.0, clock=lambda: now)
    cache.keep("a", 0)
    now = 100.9
    assert (cache.get("a"), cache.get("b")) == (0, None)
    now = 101.0
    assert cache.get("a") is None


def test_a_forgotten_value_is_gone() -> None:
    cache = TtlCache[str, int](seconds=60.0)
    cache.keep("a", 1)
    cache.keep("b", 2)
    cache.forget("a")
    cache.forget("never kept")
    assert (cache.get("a"), cache.get("b")) == (None, 2)


def test_no_more_than_the_most_are_kept() -> None:
    cache = TtlCache[int, int](seconds=60.0, max_entries=3)
    for n in range(4):
        cache.keep(n, n)
    assert [cache.get(n) for n in range(4)] == [None, None, None, 3]
