"""What became of a campaign: counts, reasons, times since GO, throughput, workers. Read from the ledger's rows, and
from the shards that are not copied into them yet.

The ledger is asked for the campaign's own millisecond of ids only: PostgreSQL opens one partition.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.arming import delivery_id_range
from campaigns.arming.render_problems import excluded_messages
from campaigns.models import Campaign, Shard
from campaigns.report.times import FINE_MS, LONGEST_S, Point, Times, bucket, curve, times_of
from campaigns.shard.outcomes import ShardOutcomes, sent_delays
from notifier.delivery.ledger import campaign_counts
from notifier.vocabulary.status import Status

WENT_OUT = (Status.SENT, Status.DELIVERED)
NOT_SENT = (Status.FAILED, Status.SUPPRESSED, Status.CANCELLED, Status.EXPIRED)
IN_DOUBT = (Status.SENDING, Status.UNKNOWN)


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


@dataclass
class Sums:
    """Where the messages of a campaign stand."""

    sent: int = 0
    not_sent: int = 0
    in_doubt: int = 0
    waiting: int = 0

    def add(self, status: int, count: int) -> None:
        if status in WENT_OUT:
            self.sent += count
        elif status in NOT_SENT:
            self.not_sent += count
        elif status in IN_DOUBT:
            self.in_doubt += count
        else:
            self.waiting += count


@dataclass(kw_only=True)
class Results(Sums):
    state: str
    audience: int = 0
    unreached: int = 0
    excluded: dict[str, int] = field(default_factory=dict)
    #: channel -> status -> reason ("" where there is none) -> messages
    channels: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    seconds: float | None = None
    rate: float | None = None
    times: Times = field(default_factory=Times)
    #: the same for each channel: one that is slow must not hide behind one that is fast
    channel_times: dict[str, Times] = field(default_factory=dict)
    throughput: list[Point] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    shards: dict[str, int] = field(default_factory=dict)

    @property
    def left_out(self) -> dict[str, int]:
        return excluded_messages(self.excluded)


@dataclass(frozen=True)
class Progress:
    """What a page asks for every second."""

    state: str
    processed: int
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
    halted: str


# ---- reading -----------------------------------------------------------------------------------------------------

# What the ledger's rows say, and what the shards say that are not copied into it yet: one statement, so one snapshot,
# in which no shard is counted twice or not at all. ARMED rows are those of such shards.
_LEDGER = f"""
SELECT channel, status, reason, count, NULL::int, NULL::bool, NULL::bool, NULL::bytea, NULL::bytea
FROM ({campaign_counts.BY_REASON}) l
"""
_OPEN = """
SELECT s.channel, NULL, NULL, s.size, s.begun, s.state = 'cancelled', c.state = 'cancelled', p.outcomes, p.notes
FROM campaigns_shard s JOIN campaigns_shardpayload p ON p.shard_id = s.id
JOIN campaigns_campaign c ON c.id = s.campaign_id
WHERE s.tenant_id = %(tenant)s AND s.campaign_id = %(campaign)s AND NOT s.accounted
"""

# Percentiles from a histogram instead of percentile_cont, which sorts a million rows.
_TIMES = f"""
SELECT channel, CASE WHEN ms < {FINE_MS} THEN ms ELSE least(ms / 1000, {LONGEST_S}) * 1000 END, count(*),
       NULL::bytea, NULL::bytea, NULL::bigint
FROM ({campaign_counts.MILLISECONDS}) t
GROUP BY 1, 2
UNION ALL
SELECT s.channel, (extract(epoch FROM s.began_at - %(launched)s) * 1000)::bigint, NULL, p.outcomes, p.delays,
       trunc(extract(epoch FROM s.ended_at - s.began_at) * 1000)::bigint
FROM campaigns_shard s JOIN campaigns_shardpayload p ON p.shard_id = s.id
WHERE s.tenant_id = %(tenant)s AND s.campaign_id = %(campaign)s AND NOT s.accounted AND s.sent > 0
"""

# Counts alone: no payload is read.
_SUMS = """
SELECT s.state = 'cancelled' OR c.state = 'cancelled', sum(size), sum(begun), sum(sent), sum(failed), sum(requeued)
FROM campaigns_shard s JOIN campaigns_campaign c ON c.id = s.campaign_id
WHERE s.tenant_id = %(tenant)s AND s.campaign_id = %(campaign)s GROUP BY 1
"""

_WORKERS = """
SELECT worker, channel, count(*), sum(sent), extract(epoch FROM max(ended_at) - min(began_at))
FROM campaigns_shard WHERE tenant_id = %(tenant)s AND campaign_id = %(campaign)s AND worker <> ''
GROUP BY 1, 2 ORDER BY 1, 2
"""

_SHARDS = """
SELECT state, count(*) FROM campaigns_shard WHERE tenant_id = %(tenant)s AND campaign_id = %(campaign)s GROUP BY 1
"""


def results(campaign: Campaign) -> Results:
    """Everything a report says."""
    found = Results(state=campaign.state, audience=campaign.audience_size)
    found.unreached, found.excluded = campaign.unreached, dict(campaign.excluded)
    for channel, status, reason, count, *shard in _rows(f"{_LEDGER} UNION ALL {_OPEN}", campaign):
        if status is not None:
            _add(found, channel, status, reason, count)
        else:
            _add_shard(found, channel, count, shard)
    found.shards = dict(_rows(_SHARDS, campaign))
    found.workers = [_worker(row) for row in _rows(_WORKERS, campaign)]
    if campaign.launched_at is not None:
        _add_times(found, campaign, campaign.launched_at)
    return found


def progress(campaign: Campaign) -> Progress:
    """What a page asks for every second: sums over the shards, and the few rows that the ledger took over."""
    sums = Sums()
    if campaign.first_armed_ms:
        requeued = sum(_add_sums(sums, row) for row in _rows(_SUMS, campaign))
        if requeued:
            for status, count in _rows(campaign_counts.REQUEUED, campaign):
                sums.add(status, count)
    seconds = elapsed(campaign)
    return Progress(
        state=campaign.state,
        processed=campaign.processed,
        audience=campaign.audience_size,
        shards=dict(_rows(_SHARDS, campaign)),
        sent=sums.sent,
        failed=sums.not_sent,
        in_doubt=sums.in_doubt,
        waiting=sums.waiting,
        total=sums.sent + sums.not_sent + sums.in_doubt + sums.waiting,
        seconds=seconds,
        rate=sums.sent / seconds if seconds else None,
        failure=campaign.failure,
        halted=campaign.halted,
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


def _add(found: Results, channel: str, status: int, reason: str, count: int) -> None:
    by_reason = found.channels.setdefault(channel, {}).setdefault(Status(status).label, {})
    by_reason[reason] = by_reason.get(reason, 0) + count
    found.add(status, count)


def _add_sums(sums: Sums, row: Sequence[Any]) -> int:
    """Of some shards. Returns how many messages they handed to the ledger, which are counted there."""
    stopped, *counts = row
    size, begun, sent, failed, requeued = map(int, counts)
    sums.sent += sent
    sums.not_sent += failed
    sums.in_doubt += begun - sent - failed - requeued
    if stopped:
        sums.not_sent += size - begun
    else:
        sums.waiting += size - begun
    return requeued


def _add_shard(found: Results, channel: str, size: int, shard: Sequence[Any]) -> None:
    begun, ended, stopped, outcomes, notes = shard
    record = ShardOutcomes.unpack(size, begun, outcomes, b"", notes)
    for (status, reason), count in record.tally(ended=ended, stopped=stopped).items():
        _add(found, channel, status, reason, count)


def _add_times(found: Results, campaign: Campaign, launched: datetime) -> None:
    by_channel: dict[str, Counter[int]] = {}
    for channel, ms, count, outcomes, delays, lasted in _rows(
        _TIMES, campaign, launched=launched, went_out=[int(s) for s in WENT_OUT]
    ):
        histogram = by_channel.setdefault(channel, Counter())
        if count is not None:
            histogram[ms] += count
        else:
            histogram.update(bucket(ms + delay) for delay in sent_delays(outcomes, delays, lasted))
    everything = sum(by_channel.values(), Counter())
    found.times = times_of(everything)
    found.channel_times = {name: times_of(histogram) for name, histogram in sorted(by_channel.items())}
    found.throughput = curve(everything)
    found.seconds = elapsed(campaign)
    found.rate = found.sent / found.seconds if found.seconds else None


def _worker(row: Sequence[Any]) -> Worker:
    return Worker(row[0], row[1], row[2], int(row[3]), float(row[4] or 0))


def _rows(sql: str, campaign: Campaign, **more: Any) -> list[Any]:
    low, high = delivery_id_range(campaign)
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": campaign.tenant_id, "campaign": campaign.pk, "low": low, "high": high, **more})
        return list(cursor.fetchall())


# ---- deciding ----------------------------------------------------------------------------------------------------


def as_json(found: Results) -> dict[str, Any]:
    """What the API answers. `sent` counts what a provider took, delivered or not."""
    return {
        "state": found.state,
        "audience": found.audience,
        "unreached": found.unreached,
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
