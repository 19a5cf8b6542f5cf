"""The results of a campaign: counts, reasons, times since GO, throughput, workers. Read from the ledger's rows, and
from the shards that are not copied into the ledger yet.

All delivery ids of a campaign begin with the same millisecond, so PostgreSQL reads one partition of the ledger.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Sum
from django.utils.timezone import localtime

from campaigns.arming import delivery_id_range
from campaigns.arming.planning.render_problems import excluded_messages
from campaigns.audience import topic_of
from campaigns.final_report import final_content
from campaigns.lifecycle.fan_out.waves import Wave, waves_of
from campaigns.models import Campaign, Shard
from campaigns.report.times import FINE_MS, LONGEST_S, Point, Times, bucket, curve, times_of
from campaigns.shard.outcomes import ShardOutcomes, sent_delays
from notifier.delivery.engagement import counts
from notifier.delivery.ledger.campaigns import campaign_counts
from notifier.providers import provider_class
from notifier.vocabulary.status import TAKEN, Status

NOT_SENT = (Status.FAILED, Status.SUPPRESSED, Status.CANCELLED, Status.EXPIRED)
IN_DOUBT = (Status.SENDING, Status.UNKNOWN)
#: what receipts say about messages that a provider took -> the statuses that include it: who clicked has also opened. A
#: row keeps its furthest status only, so that a message reported as spam is counted as delivered, opened or not
REPORTED = {
    "delivered": (Status.DELIVERED, Status.OPENED, Status.CLICKED, Status.COMPLAINED),
    "opened": (Status.OPENED, Status.CLICKED),
    "clicked": (Status.CLICKED,),
    "bounced": (Status.BOUNCED,),
    "complained": (Status.COMPLAINED,),
}


@dataclass(frozen=True)
class Worker:
    """What one worker process sent on one channel."""

    name: str
    channel: str
    shards: int
    messages: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.messages / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class AccountTotals:
    """What the shards of one account ended with, such as of one push service. `retried`: messages that were to be tried
    again later; the counts by channel say how those ended."""

    channel: str
    platform: str
    account: str
    provider: str
    messages: int
    sent: int
    failed: int
    dead: int
    retried: int


@dataclass
class Totals:
    """Messages of a campaign by what became of them."""

    sent: int = 0
    not_sent: int = 0
    in_doubt: int = 0
    waiting: int = 0

    def add(self, status: int, count: int) -> None:
        if status in TAKEN:
            self.sent += count
        elif status in NOT_SENT:
            self.not_sent += count
        elif status in IN_DOUBT:
            self.in_doubt += count
        else:
            self.waiting += count


@dataclass(kw_only=True)
class Results(Totals):
    state: str
    audience: int = 0
    #: of a campaign to a topic, in words; empty for recipients
    topic: str = ""
    unreached: int = 0
    excluded: dict[str, int] = field(default_factory=dict)
    #: channel -> status -> reason ("" where there is none) -> messages
    channels: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    #: channel -> the segments of all armed messages, whatever became of them
    segments: dict[str, int] = field(default_factory=dict)
    #: opens and clicks of a tenant that counts without persons (notifier.delivery.engagement.counts)
    counted: dict[str, int] = field(default_factory=dict)
    #: of a campaign at local time: the messages that have not begun, by the moment at which they become due
    waves: Sequence[Wave] = ()
    seconds: float | None = None
    #: None of a campaign at local time as well: it waits for its waves
    rate: float | None = None
    times: Times = field(default_factory=Times)
    #: the same for each channel: a slow channel must not hide behind a fast one
    channel_times: dict[str, Times] = field(default_factory=dict)
    throughput: list[Point] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    accounts: list[AccountTotals] = field(default_factory=list)
    shards: dict[str, int] = field(default_factory=dict)

    @property
    def reported(self) -> dict[str, int]:
        """What receipts say, over all channels."""
        sums: Counter[str] = Counter()
        for statuses in self.channels.values():
            sums.update(reported_of(statuses))
        return {name: sums[name] for name in REPORTED}

    @property
    def left_out(self) -> dict[str, int]:
        return excluded_messages(self.excluded)


@dataclass(frozen=True)
class Progress:
    """What a page polls every second."""

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
    #: of a campaign at local time: when messages become due next, as the page shows it, and how many
    next_wave: str = ""
    next_messages: int = 0


# ---- reading -----------------------------------------------------------------------------------------------------

# Counts of the ledger's rows, and the outcomes of shards that are not copied yet: one statement, so one snapshot, in
# which no shard is counted twice or not at all. A row of a shard that is not copied yet is ARMED.
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


# Percentiles from a histogram instead of percentile_cont, which sorts a million rows. A message of a wave counts from
# when it became due.
def _times_sql(milliseconds: str) -> str:
    return f"""
SELECT channel, CASE WHEN ms < {FINE_MS} THEN ms ELSE least(ms / 1000, {LONGEST_S}) * 1000 END, count(*),
       NULL::bytea, NULL::bytea, NULL::bigint
FROM ({milliseconds}) t
GROUP BY 1, 2
UNION ALL
SELECT s.channel, (extract(epoch FROM s.began_at - greatest(%(launched)s, s.not_before)) * 1000)::bigint, NULL,
       p.outcomes, p.delays, trunc(extract(epoch FROM s.ended_at - s.began_at) * 1000)::bigint
FROM campaigns_shard s JOIN campaigns_shardpayload p ON p.shard_id = s.id
WHERE s.tenant_id = %(tenant)s AND s.campaign_id = %(campaign)s AND NOT s.accounted AND s.sent > 0
"""


_WAVES = """
SELECT DISTINCT not_before FROM campaigns_shard
WHERE tenant_id = %(tenant)s AND campaign_id = %(campaign)s AND not_before > %(launched)s ORDER BY 1
"""

# Counts alone: no payload is read.
_SHARD_SUMS = """
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
    """The whole report, counted now."""
    report = Results(state=campaign.state, audience=campaign.audience_size, topic=topic_of(campaign))
    report.unreached, report.excluded = campaign.unreached, dict(campaign.excluded)
    for channel, status, reason, count, *shard in _rows(f"{_LEDGER} UNION ALL {_OPEN}", campaign):
        if status is not None:
            _add(report, channel, status, reason, count)
        else:
            _add_shard(report, channel, count, shard)
    report.shards = dict(_rows(_SHARDS, campaign))
    report.segments = _segments(campaign)
    report.waves = waves_of(campaign)
    report.counted = counts.of_campaign(campaign.pk)
    report.accounts = _by_account(campaign)
    report.workers = [_worker(row) for row in _rows(_WORKERS, campaign)]
    if campaign.launched_at is not None:
        _add_times(report, campaign, campaign.launched_at)
    return report


def progress(campaign: Campaign) -> Progress:
    """What a page polls every second: sums over the shards, and the few rows that were requeued into the ledger."""
    totals = Totals()
    if campaign.first_armed_ms:
        requeued = sum(_add_shard_sums(totals, row) for row in _rows(_SHARD_SUMS, campaign))
        if requeued or campaign.retried:
            totals.not_sent -= sum(campaign.retried.values())  # the ledger counts them from now on
            for _, status, count in requeued_rows(campaign):
                totals.add(status, count)
    seconds = elapsed(campaign)
    coming = next((wave for wave in waves_of(campaign) if wave.at > datetime.now(UTC)), None)
    return Progress(
        state=campaign.state,
        processed=campaign.processed,
        audience=campaign.audience_size,
        shards=dict(_rows(_SHARDS, campaign)),
        sent=totals.sent,
        failed=totals.not_sent,
        in_doubt=totals.in_doubt,
        waiting=totals.waiting,
        total=totals.sent + totals.not_sent + totals.in_doubt + totals.waiting,
        seconds=seconds,
        rate=totals.sent / seconds if seconds and campaign.local_time is None else None,
        failure=campaign.failure,
        halted=campaign.halted,
        next_wave=f"{localtime(coming.at):%-d %B, %H:%M %Z}" if coming else "",
        next_messages=coming.messages if coming else 0,
    )


def requeued_rows(campaign: Campaign) -> list[Any]:
    """Channel, status, how many: of messages that shards gave back to the ledger."""
    content = final_content(campaign)
    return _rows(campaign_counts.REQUEUED, campaign) if content is None else list(content["requeued"])


class Armed(NamedTuple):
    """`segments`: of all messages together, on a channel that is billed by segments."""

    messages: int
    segments: int


def ready_by_channel(campaign: Campaign) -> dict[tuple[str, uuid.UUID], Armed]:
    """Messages of an armed campaign by (channel, account id)."""
    shards = Shard.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign).order_by()
    sums = shards.values_list("channel", "account_id").annotate(Sum("size"), Sum("segments"))
    return {(channel, account_id): Armed(size, segments) for channel, account_id, size, segments in sums}


def _by_account(campaign: Campaign) -> list[AccountTotals]:
    shards = Shard.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign).order_by()
    columns = ("channel", "account__name", "account__provider")
    sums = shards.values_list(*columns).annotate(Sum("size"), Sum("sent"), Sum("failed"), Sum("dead"), Sum("requeued"))
    rows = [
        AccountTotals(channel, provider_class(provider).platform, name, provider, *counts)
        for channel, name, provider, *counts in sums
    ]
    return sorted(rows, key=lambda row: (row.channel, -row.messages, row.account))


def _segments(campaign: Campaign) -> dict[str, int]:
    """The segments of all armed messages, by channel."""
    segments: Counter[str] = Counter()
    for (channel, _), armed in ready_by_channel(campaign).items():
        segments[channel] += armed.segments
    return dict(segments)


def elapsed(campaign: Campaign) -> float | None:
    """Seconds from GO to the end of the campaign, or until now."""
    if campaign.launched_at is None:
        return None
    end = campaign.finished_at or campaign.stopped_at or datetime.now(campaign.launched_at.tzinfo)
    return max(0.001, (end - campaign.launched_at).total_seconds())


def _add(report: Results, channel: str, status: int, reason: str, count: int) -> None:
    by_reason = report.channels.setdefault(channel, {}).setdefault(Status(status).label, {})
    by_reason[reason] = by_reason.get(reason, 0) + count
    report.add(status, count)


def _add_shard_sums(totals: Totals, row: Sequence[Any]) -> int:
    """Add the sums of some shards. Returns how many messages were requeued; the ledger counts those."""
    stopped, *counts = row
    size, begun, sent, failed, requeued = map(int, counts)
    totals.sent += sent
    totals.not_sent += failed
    totals.in_doubt += begun - sent - failed - requeued
    if stopped:
        totals.not_sent += size - begun
    else:
        totals.waiting += size - begun
    return requeued


def _add_shard(report: Results, channel: str, size: int, shard: Sequence[Any]) -> None:
    begun, ended, stopped, outcomes, notes = shard
    shard_outcomes = ShardOutcomes.unpack(size, begun, outcomes, b"", notes)
    for (status, reason), count in shard_outcomes.tally(ended=ended, stopped=stopped).items():
        _add(report, channel, status, reason, count)


def _add_times(report: Results, campaign: Campaign, launched: datetime) -> None:
    by_channel: dict[str, Counter[int]] = {}
    values: dict[str, Any] = {"launched": launched, "went_out": [int(s) for s in TAKEN]}
    milliseconds = campaign_counts.MILLISECONDS
    if campaign.local_time is not None:
        milliseconds = campaign_counts.MILLISECONDS_IN_WAVES
        values["waves"] = [launched, *(row[0] for row in _rows(_WAVES, campaign, launched=launched))]
    for channel, ms, count, outcomes, delays, lasted in _rows(_times_sql(milliseconds), campaign, **values):
        histogram = by_channel.setdefault(channel, Counter())
        if count is not None:
            histogram[ms] += count
        else:
            histogram.update(bucket(ms + delay) for delay in sent_delays(outcomes, delays, lasted))
    everything = sum(by_channel.values(), Counter())
    report.times = times_of(everything)
    report.channel_times = {name: times_of(histogram) for name, histogram in sorted(by_channel.items())}
    report.throughput = curve(everything)
    report.seconds = elapsed(campaign)
    report.rate = report.sent / report.seconds if report.seconds and campaign.local_time is None else None


def _worker(row: Sequence[Any]) -> Worker:
    return Worker(row[0], row[1], row[2], int(row[3]), float(row[4] or 0))


def _rows(sql: str, campaign: Campaign, **more: Any) -> list[Any]:
    low, high = delivery_id_range(campaign)
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": campaign.tenant_id, "campaign": campaign.pk, "low": low, "high": high, **more})
        return list(cursor.fetchall())


# ---- deciding ----------------------------------------------------------------------------------------------------


def reported_of(statuses: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """What receipts say of the messages of one channel: status -> reason -> messages."""
    counts = {label: sum(reasons.values()) for label, reasons in statuses.items()}
    return {name: sum(counts.get(status.label, 0) for status in included) for name, included in REPORTED.items()}


@dataclass(frozen=True)
class TableRow:
    """One row of a report's table."""

    channel: str
    status: str
    reason: str
    count: int


def table(report: Results) -> list[TableRow]:
    """Counts by channel, status and reason: the largest first within a channel."""
    rows = [
        TableRow(channel, status, reason.replace("_", " "), count)
        for channel, statuses in report.channels.items()
        for status, reasons in statuses.items()
        for reason, count in reasons.items()
    ]
    return sorted(rows, key=lambda row: (row.channel, -row.count, row.status, row.reason))
