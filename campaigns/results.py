"""What became of a campaign, read from the ledger: counts, reasons, times since GO, throughput, workers.

Two queries over the ledger, both bounded to the campaign's own millisecond of ids: PostgreSQL opens one partition.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.models import Campaign, Shard
from campaigns.prepare import id_range
from notifier.vocabulary import Status

#: a throughput curve has at most so many points, however long the campaign took
MAX_POINTS = 120
WENT_OUT = (Status.SENT, Status.DELIVERED)
NOT_SENT = (Status.FAILED, Status.SUPPRESSED, Status.CANCELLED, Status.EXPIRED)
WAITING = (Status.ARMED, Status.QUEUED, Status.CLAIMED)
IN_DOUBT = (Status.SENDING, Status.UNKNOWN)


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
class Worker:
    """One worker process's part on one channel."""

    name: str
    channel: str
    shards: int
    messages: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.messages / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Times:
    """Milliseconds from GO to the provider's answer, over everything that went out."""

    p50: int | None = None
    p95: int | None = None
    p99: int | None = None
    last: int | None = None


@dataclass
class Results:
    state: str
    audience: int = 0
    excluded: dict[str, int] = field(default_factory=dict)
    #: channel -> status -> reason ("" where there is none) -> messages
    channels: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    sent: int = 0
    in_doubt: int = 0
    not_sent: int = 0
    waiting: int = 0
    seconds: float | None = None
    rate: float | None = None
    times: Times = field(default_factory=Times)
    #: the same for each channel: one that is slow must not hide behind one that is fast
    channel_times: dict[str, Times] = field(default_factory=dict)
    throughput: list[Point] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    shards: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """What a page asks for every second."""

    state: str
    prepared: int
    audience: int
    shards: dict[str, int]
    sent: int
    failed: int
    in_doubt: int
    waiting: int
    total: int
    seconds: float | None
    rate: float | None
    failure: str


# ---- reading -----------------------------------------------------------------------------------------------------

_MINE = "tenant_id = %s AND campaign_id = %s AND id >= %s AND id < %s"

_BY_REASON = f"SELECT channel, status, reason, count(*) FROM notifier_delivery WHERE {_MINE} GROUP BY 1, 2, 3"

_BY_STATUS = f"SELECT channel, status, count(*) FROM notifier_delivery WHERE {_MINE} GROUP BY 1, 2"

# Percentiles from a histogram instead of percentile_cont, which sorts a million rows. Milliseconds in the first minute,
# seconds on the first day, so that at most 150,000 groups exist, whatever happened.
_TIMES = f"""
SELECT channel, CASE WHEN ms < 60000 THEN ms ELSE least(ms / 1000, 86400) * 1000 END AS bucket, count(*)
FROM (SELECT channel, greatest(0, extract(epoch FROM settled_at - %s) * 1000)::bigint AS ms
      FROM notifier_delivery WHERE {_MINE} AND status = ANY(%s)) t
GROUP BY 1, 2
"""

_WORKERS = """
SELECT worker, channel, count(*), sum(size), extract(epoch FROM max(ended_at) - min(began_at))
FROM campaigns_shard WHERE tenant_id = %s AND campaign_id = %s AND worker <> '' GROUP BY 1, 2 ORDER BY 1, 2
"""

_SHARDS = "SELECT state, count(*) FROM campaigns_shard WHERE tenant_id = %s AND campaign_id = %s GROUP BY 1"


def results(campaign: Campaign) -> Results:
    """Everything a report says; the ledger is read twice."""
    found = Results(campaign.state, campaign.audience_size, dict(campaign.excluded))
    for name, status, reason, count in _rows(_BY_REASON, _mine(campaign)):
        label = Status(status).label
        found.channels.setdefault(name, {}).setdefault(label, {})[reason] = count
        _add(found, Status(status), count)
    found.shards = dict(_rows(_SHARDS, [campaign.tenant_id, campaign.pk]))
    found.workers = [_worker(row) for row in _rows(_WORKERS, [campaign.tenant_id, campaign.pk])]
    if campaign.launched_at is not None:
        _add_times(found, campaign, campaign.launched_at)
    return found


def progress(campaign: Campaign) -> Progress:
    """Counts by the index alone (campaign, channel, status), and the shards."""
    by_status: Counter[Status] = Counter()
    for _, status, count in _rows(_BY_STATUS, _mine(campaign)) if campaign.first_armed_ms else ():
        by_status[Status(status)] += count
    sent = sum(by_status[s] for s in WENT_OUT)
    seconds = elapsed(campaign)
    return Progress(
        state=campaign.state,
        prepared=campaign.prepared,
        audience=campaign.audience_size,
        shards=dict(_rows(_SHARDS, [campaign.tenant_id, campaign.pk])),
        sent=sent,
        failed=by_status[Status.FAILED] + by_status[Status.EXPIRED] + by_status[Status.CANCELLED],
        in_doubt=sum(by_status[s] for s in IN_DOUBT),
        waiting=sum(by_status[s] for s in WAITING),
        total=sum(by_status.values()) - by_status[Status.SUPPRESSED],
        seconds=seconds,
        rate=sent / seconds if seconds else None,
        failure=campaign.failure,
    )


def ready_by_channel(campaign: Campaign) -> dict[tuple[str, uuid.UUID], int]:
    """What an armed campaign will send: (channel, account id) -> messages."""
    rows = Shard.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign).values_list(
        "channel", "account_id", "size"
    )
    ready: Counter[tuple[str, uuid.UUID]] = Counter()
    for channel, account_id, size in rows:
        ready[channel, account_id] += size
    return dict(ready)


def elapsed(campaign: Campaign) -> float | None:
    """Seconds since GO, until it ended."""
    if campaign.launched_at is None:
        return None
    end = campaign.finished_at or campaign.stopped_at or datetime.now(campaign.launched_at.tzinfo)
    return max(0.001, (end - campaign.launched_at).total_seconds())


def _add(found: Results, status: Status, count: int) -> None:
    if status in WENT_OUT:
        found.sent += count
    elif status in NOT_SENT:
        found.not_sent += count
    elif status in IN_DOUBT:
        found.in_doubt += count
    else:
        found.waiting += count


def _add_times(found: Results, campaign: Campaign, launched: datetime) -> None:
    rows = _rows(_TIMES, [launched, *_mine(campaign), [int(s) for s in WENT_OUT]])
    everything: Counter[int] = Counter()
    by_channel: dict[str, Counter[int]] = {}
    for name, ms, count in rows:
        everything[ms] += count
        by_channel.setdefault(name, Counter())[ms] += count
    found.times = times_of(everything)
    found.channel_times = {name: times_of(histogram) for name, histogram in sorted(by_channel.items())}
    found.throughput = curve(everything)
    found.seconds = elapsed(campaign)
    found.rate = found.sent / found.seconds if found.seconds else None


def _worker(row: Sequence[Any]) -> Worker:
    return Worker(row[0], row[1], row[2], int(row[3]), float(row[4] or 0))


def _mine(campaign: Campaign) -> list[Any]:
    return [campaign.tenant_id, campaign.pk, *id_range(campaign)]


def _rows(sql: str, params: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


# ---- deciding ----------------------------------------------------------------------------------------------------


def as_json(found: Results) -> dict[str, Any]:
    """What the API answers. `sent` counts what a provider took, delivered or not."""
    return {
        "state": found.state,
        "audience": found.audience,
        "excluded": found.excluded,
        "suppressed": _reasons(found.channels.values(), Status.SUPPRESSED),
        "sent": found.sent,
        "not_sent": found.not_sent,
        "in_doubt": found.in_doubt,
        "waiting": found.waiting,
        "seconds": found.seconds,
        "rate_per_s": found.rate,
        **_times_json(found.times),
        "channels": {name: _channel_json(found, name) for name in sorted(found.channels)},
        "throughput": [{**asdict(point), "rate_per_s": point.rate} for point in found.throughput],
        "workers": [{**asdict(worker), "rate_per_s": worker.rate} for worker in found.workers],
        "shards": found.shards,
    }


def _channel_json(found: Results, name: str) -> dict[str, Any]:
    statuses = found.channels[name]
    counts = {status.label: sum(statuses.get(status.label, {}).values()) for status in Status}
    sent = counts["sent"] + counts["delivered"]
    times = found.channel_times.get(name, Times())
    seconds = times.last / 1000 if times.last else None
    return {
        **counts,
        "sent": sent,
        **{f"{status.label}_by_reason": statuses.get(status.label, {}) for status in (*NOT_SENT, Status.UNKNOWN)},
        "seconds": seconds,
        "rate_per_s": sent / seconds if seconds else None,
        **_times_json(times),
    }


def _times_json(times: Times) -> dict[str, int | None]:
    return {f"{name}_ms": value for name, value in asdict(times).items()}


def _reasons(channels: Iterable[Mapping[str, Mapping[str, int]]], status: Status) -> dict[str, int]:
    """Counts by reason over all channels."""
    counts: Counter[str] = Counter()
    for statuses in channels:
        counts.update(statuses.get(status.label, {}))
    return dict(counts)


@dataclass(frozen=True)
class Row:
    """One line of a report's table."""

    channel: str
    status: str
    reason: str
    count: int


def table(found: Results) -> list[Row]:
    """Counts by channel, status and reason: the largest first within a channel."""
    rows = [
        Row(channel, status, reason.replace("_", " "), count)
        for channel, statuses in found.channels.items()
        for status, reasons in statuses.items()
        for reason, count in reasons.items()
    ]
    return sorted(rows, key=lambda row: (row.channel, -row.count, row.status, row.reason))


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
