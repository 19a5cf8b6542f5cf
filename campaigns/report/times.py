"""When messages left: percentiles since GO, and the curve of throughput. Pure, from histograms of milliseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

#: a throughput curve has at most so many points, however long the campaign took
MAX_POINTS = 120
#: milliseconds in the first minute, seconds on the first day: so that at most 150,000 groups exist, whatever happened
FINE_MS, LONGEST_S = 60_000, 86_400


def bucket(ms: int) -> int:
    """The place of a time in a histogram."""
    return max(0, ms) if ms < FINE_MS else min(ms // 1000, LONGEST_S) * 1000


@dataclass(frozen=True)
class Point:
    """What left in the `seconds` that begin `at` seconds after GO."""

    at: float
    seconds: float
    sent: int

    @property
    def rate(self) -> float:
        return self.sent / self.seconds


@dataclass(frozen=True)
class Times:
    """Milliseconds from GO to the provider's answer, over everything that went out."""

    p50: int | None = None
    p95: int | None = None
    p99: int | None = None
    last: int | None = None


def times_of(histogram: Mapping[int, int]) -> Times:
    """Percentiles (nearest rank) of milliseconds -> messages."""
    if not histogram:
        return Times()
    p50, p95, p99 = (percentile(histogram, share) for share in (0.50, 0.95, 0.99))
    return Times(p50, p95, p99, max(histogram))


def percentile(histogram: Mapping[int, int], share: float) -> int:
    """The smallest value that at least `share` of all do not exceed."""
    wanted = share * sum(histogram.values())
    seen = 0
    for value in sorted(histogram):
        seen += histogram[value]
        if seen >= wanted:
            return value
    raise ValueError("an empty histogram has no percentile")


def curve(histogram: Mapping[int, int], points: int = MAX_POINTS) -> list[Point]:
    """Messages per second since GO; wider steps when there would be more than `points` of them."""
    if not histogram:
        return []
    seconds = step(max(histogram), points)
    counts: Counter[int] = Counter()
    for ms, count in histogram.items():
        counts[ms // (seconds * 1000)] += count
    return [Point(n * seconds, seconds, counts[n]) for n in range(max(counts) + 1)]


def step(last_ms: int, points: int) -> int:
    """Whole seconds of one point, so that `last_ms` still falls into the last of them."""
    return last_ms // (points * 1000) + 1
