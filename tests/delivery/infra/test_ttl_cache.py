"""What a process may believe for a while, and no longer."""

from __future__ import annotations

import time

import pytest

from notifier.delivery.infra.ttl_cache import TtlCache


def test_a_value_is_believed_for_its_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    recent = TtlCache[str, int](seconds=1.0)
    recent.keep("a", 0)
    now = 100.9
    assert (recent.get("a"), recent.get("b")) == (0, None)
    now = 101.0
    assert recent.get("a") is None


def test_what_is_forgotten_is_read_again() -> None:
    recent = TtlCache[str, int](seconds=60.0)
    recent.keep("a", 1)
    recent.keep("b", 2)
    recent.forget("a")
    recent.forget("never kept")
    assert (recent.get("a"), recent.get("b")) == (None, 2)


def test_no_more_than_the_most_are_kept() -> None:
    recent = TtlCache[int, int](seconds=60.0, max_entries=3)
    for n in range(4):
        recent.keep(n, n)
    assert [recent.get(n) for n in range(4)] == [None, None, None, 3]
