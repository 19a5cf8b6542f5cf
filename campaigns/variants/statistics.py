"""Rates of variants with honest intervals. Pure.

* The interval of a rate is Wilson's score interval (E. B. Wilson, 1927), which holds for small numbers and for 0 %.
* The interval of the difference of two rates is Newcombe's hybrid score interval (R. G. Newcombe, Statistics in
  Medicine 17, 1998, method 10).
* With several variants each pair is compared, so the intervals of differences are wider (Bonferroni): all of them
  together hold with 95 %. All pairs count, and not only those with the best: which one is the best is seen from the
  same figures.

The intervals hold for one look at a time that was fixed before. A person who looks every hour and stops when a
difference shows is misled more often.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

#: all intervals of differences together are wrong in one of twenty tests
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True)
class Rate:
    """So many of so many people, with the interval of the rate. `value` is 0 of nobody."""

    events: int
    people: int
    interval: Interval

    @property
    def value(self) -> float:
        return self.events / self.people if self.people else 0.0


@dataclass(frozen=True)
class Difference:
    """The rate of `better` minus that of `other`, by which `better` has the higher rate."""

    better: str
    other: str
    value: float
    interval: Interval

    @property
    def is_shown(self) -> bool:
        """Whether this number of people shows a difference: the interval does not contain 0."""
        return self.interval.low > 0


def z_of(confidence: float, comparisons: int = 1) -> float:
    """The two-sided quantile of the normal distribution, with Bonferroni's correction: 1.96 for 95 % and one."""
    return NormalDist().inv_cdf(1 - (1 - confidence) / (2 * max(1, comparisons)))


def wilson(events: int, people: int, z: float) -> Interval:
    """Wilson's interval; 0 to 1 of nobody. Raises ValueError unless 0 <= events <= people."""
    if not 0 <= events <= people:
        raise ValueError("events are 0 to people")
    if not people:
        return Interval(0.0, 1.0)
    rate, square = events / people, z * z
    centre = (rate + square / (2 * people)) / (1 + square / people)
    half = z * math.sqrt(rate * (1 - rate) / people + square / (4 * people * people)) / (1 + square / people)
    return Interval(0.0 if not events else centre - half, 1.0 if events == people else centre + half)


def newcombe(first: tuple[int, int], second: tuple[int, int], z: float) -> Interval:
    """Newcombe's interval of the first rate minus the second; each is (events, people)."""
    rates, intervals = [], []
    for events, people in (first, second):
        rates.append(events / people if people else 0.5)
        intervals.append(wilson(events, people, z))
    difference = rates[0] - rates[1]
    low = math.hypot(rates[0] - intervals[0].low, intervals[1].high - rates[1])
    high = math.hypot(intervals[0].high - rates[0], rates[1] - intervals[1].low)
    return Interval(max(-1.0, difference - low), min(1.0, difference + high))


@dataclass(frozen=True)
class Comparison:
    """The rates of all variants, and each pair of them, the one with the higher rate first."""

    rates: Mapping[str, Rate]
    differences: tuple[Difference, ...]

    def shown_over(self, key: str) -> list[str]:
        """The variants over which this one shows a higher rate."""
        return [each.other for each in self.differences if each.better == key and each.is_shown]

    def shown_under(self, key: str) -> list[str]:
        """The variants under which this one shows a lower rate."""
        return [each.better for each in self.differences if each.other == key and each.is_shown]


def compare(counts: Mapping[str, tuple[int, int]], confidence: float = CONFIDENCE) -> Comparison:
    """Compare variants: key -> (events, people)."""
    pairs = list(combinations(sorted(counts), 2))
    single, corrected = z_of(confidence), z_of(confidence, len(pairs))
    rates = {key: Rate(*counts[key], wilson(*counts[key], single)) for key in sorted(counts)}
    differences = []
    for pair in pairs:
        better, other = sorted(pair, key=lambda key: -rates[key].value)
        value = rates[better].value - rates[other].value
        differences.append(Difference(better, other, value, newcombe(counts[better], counts[other], corrected)))
    return Comparison(rates, tuple(differences))


def winner_of(comparison: Comparison, *, lowest: bool = False) -> str:
    """The variant that shows a better rate than each of the others; empty when there is none. `lowest`: the lowest rate
    is the best."""
    for key in comparison.rates:
        beaten = comparison.shown_under(key) if lowest else comparison.shown_over(key)
        if len(beaten) == len(comparison.rates) - 1 and beaten:
            return key
    return ""


def leader_of(comparison: Comparison, *, lowest: bool = False) -> str:
    """The variant with the best rate, whether shown or not; the first of equals."""
    sign = 1 if lowest else -1
    return min(comparison.rates, key=lambda key: (sign * comparison.rates[key].value, key), default="")


def least_difference(people: int, variants: int, rate: float = 0.2) -> float | None:
    """The least difference from `rate` that so many people in each variant would show when the rates are exactly such;
    None when no difference would. A real test with this difference shows it in half of the cases."""
    z = z_of(CONFIDENCE, variants * (variants - 1) // 2)
    events = round(people * rate)
    for step in range(1, 1_000):
        other = round(people * (rate + step / 1_000))
        if other > people:
            return None
        if newcombe((other, people), (events, people), z).low > 0:
            return step / 1_000
    return None
