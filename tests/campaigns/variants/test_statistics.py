"""Intervals beside published ones: R. G. Newcombe, Statistics in Medicine 17 (1998), pages 857 to 872 (single
proportions, Table I, method 3) and 873 to 890 (differences, Table II, method 10)."""

from __future__ import annotations

import pytest

from campaigns.variants.statistics import Interval, compare, leader_of, newcombe, wilson, winner_of, z_of


@pytest.mark.parametrize(
    ("events", "people", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_the_published_one(events: int, people: int, low: float, high: float) -> None:
    interval = wilson(events, people, z_of(0.95))
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombes_interval_is_the_published_one(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    interval = newcombe(first, second, z_of(0.95))
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_nobody_shows_nothing() -> None:
    assert wilson(0, 0, z_of(0.95)) == Interval(0.0, 1.0)
    assert newcombe((0, 0), (0, 0), z_of(0.95)).low < 0 < newcombe((0, 0), (0, 0), z_of(0.95)).high
    with pytest.raises(ValueError, match="events"):
        wilson(2, 1, 1.96)


@pytest.mark.parametrize(
    ("confidence", "comparisons", "z"),
    [(0.95, 1, 1.9600), (0.95, 3, 2.3940), (0.95, 28, 3.1237), (0.99, 1, 2.5758)],
)
def test_the_correction_widens_with_each_pair(confidence: float, comparisons: int, z: float) -> None:
    assert round(z_of(confidence, comparisons), 4) == z


@pytest.mark.parametrize(
    ("counts", "lowest", "winner", "leader"),
    [
        ({"A": (200, 1_000), "B": (260, 1_000)}, False, "B", "B"),
        ({"A": (200, 1_000), "B": (230, 1_000)}, False, "", "B"),
        ({"A": (20, 1_000), "B": (60, 1_000)}, True, "A", "A"),
        ({"A": (0, 1_000), "B": (0, 1_000)}, False, "", "A"),
        # better than the worst is not better than all
        ({"A": (300, 1_000), "B": (310, 1_000), "C": (100, 1_000)}, False, "", "B"),
        ({"A": (300, 1_000), "B": (400, 1_000), "C": (100, 1_000)}, False, "B", "B"),
        # shown by itself (z = 2.1), and not among eight
        ({"A": (200, 1_000), "B": (239, 1_000)}, False, "B", "B"),
        ({"B": (239, 1_000), **dict.fromkeys("ACDEFGH", (200, 1000))}, False, "", "B"),
        ({"A": (0, 0), "B": (0, 0)}, False, "", "A"),
    ],
)
def test_the_winner_is_better_than_each_other_variant(
    counts: dict[str, tuple[int, int]], lowest: bool, winner: str, leader: str
) -> None:
    comparison = compare(counts)
    assert (winner_of(comparison, lowest=lowest), leader_of(comparison, lowest=lowest)) == (winner, leader)
