"""Who belongs to which part of a test: a function of ids, evenly distributed, the same in Python and in SQL."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest
from django.db import connection

from campaigns.arming.planning.assignment import HOLDOUT, REST, SLOT_SQL, SLOTS, parts_of, slot_finder

CAMPAIGN = uuid.UUID("01a1fc68-18b1-7c3d-9b62-1e7a8c3d0f25")
TWO = [("A", 1), ("B", 1)]


def person(n: int) -> uuid.UUID:
    """Ids as they are made: they begin with the time, so that neighbours differ in few bits."""
    return uuid.UUID(int=(0x01A1FC68_18B17C3D << 64) + (n << 40) + n)


@pytest.mark.parametrize(
    ("holdout", "test", "weights", "shares"),
    [
        (0, 20, TWO, {"A": 0.1, "B": 0.1, REST: 0.8}),
        (10, 20, TWO, {HOLDOUT: 0.1, "A": 0.1, "B": 0.1, REST: 0.7}),
        (0, 100, TWO, {"A": 0.5, "B": 0.5}),
        (5, 95, [("A", 3), ("B", 1)], {HOLDOUT: 0.05, "A": 0.7125, "B": 0.2375}),
        (0, 80, [(key, 1) for key in "ABCDEFGH"], {**dict.fromkeys("ABCDEFGH", 0.1), REST: 0.2}),
    ],
    ids=["a fifth", "holdout", "all", "weights", "eight"],
)
def test_parts_have_their_shares(
    holdout: int, test: int, weights: list[tuple[str, int]], shares: dict[str, float]
) -> None:
    parts, slot = parts_of(holdout, test, weights), slot_finder(CAMPAIGN)
    counts = Counter(parts.key_of(slot(person(n))) for n in range(40_000))
    assert set(counts) == set(shares)
    for key, share in shares.items():
        deviation = (40_000 * share * (1 - share)) ** 0.5
        assert abs(counts[key] - 40_000 * share) < 4 * deviation, key


def test_every_slot_has_a_part() -> None:
    parts = parts_of(33, 33, [("A", 1), ("B", 1), ("C", 1)])
    assert parts.starts[0] == 0 and list(parts.starts) == sorted(parts.starts)
    assert (parts.key_of(0), parts.key_of(SLOTS - 1)) == (HOLDOUT, REST)


def test_two_campaigns_divide_the_same_people_independently() -> None:
    parts = parts_of(0, 100, TWO)
    first, second = slot_finder(CAMPAIGN), slot_finder(uuid.UUID(int=CAMPAIGN.int + 1))
    both = Counter((parts.key_of(first(person(n))), parts.key_of(second(person(n)))) for n in range(10_000))
    assert all(abs(count - 2_500) < 200 for count in both.values()) and len(both) == 4


@pytest.mark.django_db
def test_sql_and_python_agree() -> None:
    slot = slot_finder(CAMPAIGN)
    people = [uuid.uuid5(CAMPAIGN, str(n)) for n in range(200)]
    with connection.cursor() as cursor:
        sql = f"SELECT r, {SLOT_SQL.format(recipient='r')} FROM unnest(%(people)s::uuid[]) r"
        cursor.execute(sql, {"campaign": CAMPAIGN, "people": people})
        assert dict(cursor.fetchall()) == {each: slot(each) for each in people}
