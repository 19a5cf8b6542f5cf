"""Identifiers: their time, their order, and the once-per-address rule that derived ones are."""

from __future__ import annotations

import time
import uuid

from notifier.vocabulary.ids import derived_id, id_floor, id_ms, new_id


def test_ids_carry_the_time_and_their_version() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    assert before <= id_ms(made) <= time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_ids_of_one_process_are_in_the_order_of_their_making() -> None:
    made = []
    for _ in range(1000):
        made.append(new_id())
        until = time.time_ns() + 1_000
        while time.time_ns() < until:
            pass
    assert made == sorted(made)


def test_a_derived_id_is_the_same_for_the_same_parts_only() -> None:
    ids = {derived_id(1000, *parts) for parts in (("a", "b"), ("a", "b"), ("ab", ""), ("a", "c"))}
    assert len(ids) == 3
    assert derived_id(1000, "a") != derived_id(1001, "a")


def test_all_ids_of_a_millisecond_lie_between_its_floor_and_the_next() -> None:
    made = derived_id(1_700_000_000_000, "x")
    assert id_floor(1_700_000_000_000) <= made < id_floor(1_700_000_000_001)
