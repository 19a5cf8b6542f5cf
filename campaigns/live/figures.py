"""From the shards of a campaign to what a page shows of it: counts by channel, messages a second, times, time left.
Pure.

A shard says when it began and ended and how many of its messages were sent, not when each of them left. Between the two
times its messages count as evenly spread, so that times are exact to the length of a shard (a second or less at full
speed). The report has the exact times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from campaigns.report.times import MAX_POINTS, percentile, point_seconds

#: seconds over which "now" is measured
NOW = 5.0
#: a shard's messages count at so many moments, so that a slow campaign costs no more than a fast one
_MOMENTS = 20
#: a share of the canary, or of the campaign, that is not done yet is never shown as 100 %
_ALMOST = 99.9


class ShardRow(NamedTuple):
    """One shard. `began`, `ended`, `due` in seconds since GO. `held`: a worker sends it now."""

    channel: str
    canary: bool
    state: str
    size: int
    begun: int
    sent: int
    failed: int
    requeued: int
    worker: str
    held: bool
    began: float | None
    ended: float | None
    due: float | None
    #: what has not begun never will
    stopped: bool


@dataclass
class Counts:
    """Messages by what became of them, and milliseconds from GO until so many percent had left."""

    sent: int = 0
    failed: int = 0
    in_flight: int = 0
    waiting: int = 0
    p50: int | None = None
    p95: int | None = None
    p99: int | None = None

    @property
    def total(self) -> int:
        return self.sent + self.failed + self.in_flight + self.waiting

    @property
    def open(self) -> int:
        """Messages that are not done."""
        return self.waiting + self.in_flight

    @property
    def percent(self) -> float:
        """The share of messages that are done, 0 to 100."""
        if not self.total:
            return 0.0
        done = self.total - self.open
        return 100.0 if done == self.total else min(_ALMOST, round(100 * done / self.total, 1))


@dataclass
class Failure:
    """Messages of a channel that did not leave, for one reason."""

    channel: str
    reason: str
    count: int


@dataclass
class CanaryFigures:
    """The share that leaves first. `state`: leaving, waits (for a person) or passed."""

    state: str
    counts: Counts = field(default_factory=Counts)


@dataclass
class LiveFigures:
    """What the page shows. No address, no name, no content."""

    state: str
    halted: str = ""
    halted_channels: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None
    counts: Counts = field(default_factory=Counts)
    channels: Mapping[str, Counts] = field(default_factory=dict)
    failures: Sequence[Failure] = ()
    #: seconds since GO -> messages a second
    points: Sequence[tuple[float, float]] = ()
    #: messages a second in the last seconds
    rate: float = 0.0
    seconds_left: float | None = None
    #: channel -> worker processes that send now
    workers: Mapping[str, int] = field(default_factory=dict)
    canary: CanaryFigures | None = None
    #: of a campaign at local time: when the next messages become due (ISO 8601), and how many
    next_wave_at: str = ""
    next_messages: int = 0


def count_channels(rows: Iterable[ShardRow]) -> dict[str, Counts]:
    """Channel -> counts, without the messages that went back to the ledger."""
    channels: dict[str, Counts] = {}
    for row in rows:
        add_row(channels.setdefault(row.channel, Counts()), row)
    return dict(sorted(channels.items()))


def add_row(counts: Counts, row: ShardRow) -> None:
    left = row.size - row.begun
    counts.sent += row.sent
    counts.failed += row.failed + (left if row.stopped else 0)
    counts.waiting += 0 if row.stopped else left
    counts.in_flight += row.begun - row.sent - row.failed - row.requeued


def sum_counts(channels: Iterable[Counts]) -> Counts:
    """All channels together, without times."""
    total = Counts()
    for counts in channels:
        total.sent += counts.sent
        total.failed += counts.failed
        total.in_flight += counts.in_flight
        total.waiting += counts.waiting
    return total


class Span(NamedTuple):
    """`sent` messages of a channel that left between two moments (seconds since GO); `due`: when they might."""

    channel: str
    begin: float
    end: float
    due: float
    sent: int


def spans_of(rows: Sequence[ShardRow], now: float) -> list[Span]:
    """When the sent messages of each shard left."""
    known = [moment for row in rows for moment in (row.began, row.ended) if moment is not None]
    latest = max(known, default=0.0)
    spans = []
    for row in rows:
        if row.sent and row.began is not None:
            # a shard that a pause gave back has no end; nothing of it left after the last thing that happened
            end = row.ended if row.ended is not None else now if row.held else max(latest, row.began)
            spans.append(Span(row.channel, max(0.0, row.began), max(0.0, end), row.due or 0.0, row.sent))
    return spans


def rate_now(spans: Iterable[Span], now: float) -> float:
    """Messages a second over the last NOW seconds, or since GO."""
    since = max(0.0, now - NOW)
    return sum(_overlap(span, since, now) for span in spans) / max(0.5, min(NOW, now))


def points_of(spans: Sequence[Span], now: float) -> list[tuple[float, float]]:
    """Messages a second since GO, as at most MAX_POINTS steps of whole seconds; the last step ends now."""
    if not spans:
        return []
    width = point_seconds(int(now * 1000), MAX_POINTS)
    sums: Counter[int] = Counter()
    for span in spans:
        for n in range(int(span.begin // width), int(min(span.end, now) // width) + 1):
            sums[n] += _overlap(span, n * width, (n + 1) * width)  # type: ignore[assignment]
    last = int(now // width)
    # the step that is not over yet would show a slump at its beginning
    last_width = now - last * width
    points = [(float(n * width), round(sums[n] / width, 1)) for n in range(last)]
    if last_width >= min(1.0, width / 2) or not points:
        points.append((float(last * width), round(sums[last] / max(0.5, last_width), 1)))
    return [*points, (round(now, 1), points[-1][1])]


def _overlap(span: Span, begin: float, end: float) -> float:
    """How many of the span's messages left between two moments."""
    if span.end <= span.begin:
        return float(span.sent) if begin <= span.begin < end else 0.0
    return span.sent * max(0.0, min(span.end, end) - max(span.begin, begin)) / (span.end - span.begin)


def add_times(channels: Mapping[str, Counts], total: Counts, spans: Sequence[Span]) -> None:
    """Set the percentiles of each channel and of all together."""
    histograms: dict[str, Counter[int]] = {}
    for span in spans:
        histogram = histograms.setdefault(span.channel, Counter())
        moments = min(_MOMENTS, span.sent)
        whole, more = divmod(span.sent, moments)
        for n in range(moments):
            at = span.begin + (span.end - span.begin) * (n + 0.5) / moments - span.due
            histogram[max(0, round(at * 1000))] += whole + (n < more)
    for channel, histogram in histograms.items():
        _set_times(channels[channel], histogram)
    _set_times(total, sum(histograms.values(), Counter()))


def _set_times(counts: Counts, histogram: Mapping[int, int]) -> None:
    if histogram:
        counts.p50, counts.p95, counts.p99 = (percentile(histogram, share) for share in (0.5, 0.95, 0.99))


def count_workers(rows: Iterable[ShardRow]) -> dict[str, int]:
    """Channel -> worker processes that send now."""
    names = {(row.channel, row.worker) for row in rows if row.held}
    return dict(sorted(Counter(channel for channel, _ in names).items()))


def seconds_left(total: Counts, rate: float, state: str) -> float | None:
    """At the speed of the last seconds; None when nobody can know."""
    if state != "running" or rate <= 0 or not total.open:
        return None
    return total.open / rate


def canary_figures(rows: Sequence[ShardRow], *, passed: bool, waits: bool) -> CanaryFigures:
    counts = Counts()
    for row in rows:
        if row.canary:
            add_row(counts, row)
    return CanaryFigures("passed" if passed else "waits" if waits else "leaving", counts)
