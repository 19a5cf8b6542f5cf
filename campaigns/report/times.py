"""When messages left: percentiles since GO, and the throughput curve. Pure functions over histograms of
milliseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

#: points of a throughput curve at most, however long the campaign took
MAX_POINTS = 120
#: a histogram counts by millisecond in the first minute and by second on the first day, so it has at most 150,000
#: groups
FINE_MS, LONGEST_S = 60_000, 86_400


def bucket(ms: int) -> int:
    """The group of a time in a histogram."""
    return max(0, ms) if ms < FINE_MS else min(ms // 1000, LONGEST_S) * 1000


@dataclass(frozen=True)
class Point:
    """Messages that left within `seconds`, from `at` seconds after GO on."""

    at: float
    seconds: float
    sent: int

    @property
    def rate(self) -> float:
        return self.sent / self.seconds


@dataclass(frozen=True)
class Times:
    """Milliseconds from GO to the provider's answer, over all messages that were sent."""

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
    """The smallest value that at least `share` of all values do not exceed."""
    rank = share * sum(histogram.values())
    counted = 0
    for value in sorted(histogram):
        counted += histogram[value]
        if counted >= rank:
            return value
    raise ValueError("an empty histogram has no percentile")


def curve(histogram: Mapping[int, int], points: int = MAX_POINTS) -> list[Point]:
    """Messages per second since GO, as at most `points` points of equal length."""
    if not histogram:
        return []
    seconds = point_seconds(max(histogram), points)
    counts: Counter[int] = Counter()
    for ms, count in histogram.items():
        counts[ms // (seconds * 1000)] += count
    return [Point(n * seconds, seconds, counts[n]) for n in range(max(counts) + 1)]


def point_seconds(last_ms: int, points: int) -> int:
    """Whole seconds of one point, so that `last_ms` still falls into the last point."""
    return last_ms // (points * 1000) + 1
