"""Reads what a campaign looks like now: four statements, none of which reads a message's row that was sent.

Of 5 M messages the statements read 1,000 shards. Reasons of failures are in the outcomes of shards: those of a shard
that has ended are read once.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from campaigns.arming import delivery_id_range
from campaigns.final_report import final_content
from campaigns.lifecycle.fan_out.waves import waves_of
from campaigns.lifecycle.running import canary
from campaigns.live import figures
from campaigns.live.figures import Failure, LiveFigures, ShardRow
from campaigns.models import Campaign, Rollout
from campaigns.report.results import IN_DOUBT, NOT_SENT, elapsed, requeued_rows
from campaigns.shard.outcomes import ShardOutcomes
from campaigns.states import State
from notifier.delivery.ledger.campaigns import campaign_counts
from notifier.vocabulary.status import TAKEN, Status

#: shard -> (channel, reason) -> messages, of shards that have ended and are not copied into the ledger
Tallies = MutableMapping[uuid.UUID, Counter[tuple[str, str]]]

_SHARDS = """
SELECT s.channel, s.canary, s.state, s.size, s.begun, s.sent, s.failed, s.requeued, s.worker,
  s.state = 'running' AND COALESCE(s.lease_until > now(), false),
  extract(epoch FROM s.began_at - %(launched)s)::float8, extract(epoch FROM s.ended_at - %(launched)s)::float8,
  greatest(0, extract(epoch FROM s.not_before - %(launched)s))::float8,
  s.state = 'cancelled' OR c.state = 'cancelled'
FROM campaigns_shard s JOIN campaigns_campaign c ON c.id = s.campaign_id
WHERE s.tenant_id = %(tenant)s AND s.campaign_id = %(campaign)s
"""

#: what a marketer calls a failure: not what was left out by a rule, not what a stop kept
_FAILED = (Status.FAILED, Status.EXPIRED, Status.UNKNOWN)
# one statement, so one snapshot: a shard is counted by its outcomes or by its rows in the ledger
_FAILURES = f"""
SELECT NULL::uuid, channel, reason, count, NULL::int, NULL::bool, NULL::bytea, NULL::bytea
FROM ({campaign_counts.FAILED_BY_REASON}) l
UNION ALL
SELECT s.id, s.channel, NULL, s.size, s.begun, s.state IN ('done', 'cancelled'),
  CASE WHEN s.id = ANY(%(known)s::uuid[]) THEN NULL ELSE p.outcomes END,
  CASE WHEN s.id = ANY(%(known)s::uuid[]) THEN NULL ELSE p.notes END
FROM campaigns_shard s JOIN campaigns_shardpayload p ON p.shard_id = s.id
WHERE s.tenant_id = %(tenant)s AND s.campaign_id = %(campaign)s AND NOT s.accounted
  AND (s.failed > 0 OR s.state IN ('done', 'cancelled') AND s.begun > s.sent + s.failed + s.requeued)
"""


def read(campaign: Campaign, tallies: Tallies) -> LiveFigures:
    """What the campaign looks like now. `tallies` keeps what was read of shards that have ended, from call to call."""
    live = LiveFigures(campaign.state, campaign.halted, campaign.halted_channels)
    live.seconds = elapsed(campaign)
    if campaign.launched_at is None or live.seconds is None:
        return live
    now = live.seconds
    rows = [ShardRow._make(row) for row in _rows(_SHARDS, campaign, launched=campaign.launched_at)]
    live.channels = figures.count_channels(rows)
    _add_ledger(live.channels, campaign, rows)
    live.counts = figures.sum_counts(live.channels.values())
    spans = figures.spans_of(rows, now)
    figures.add_times(live.channels, live.counts, spans)
    live.rate = round(figures.rate_now(spans, now), 1) if campaign.state == State.RUNNING else 0.0
    live.points = figures.points_of(spans, now)
    live.workers = figures.count_workers(rows)
    live.failures = _failures(campaign, tallies)
    if campaign.rollout != Rollout.ALL:
        waits = campaign.state == State.PAUSED and campaign.halted.endswith(canary.LOOK_AT_CANARY)
        live.canary = figures.canary_figures(rows, passed=campaign.canary_passed_at is not None, waits=waits)
    _add_wave(live, campaign)
    if not live.next_wave_at:
        live.seconds_left = figures.seconds_left(live.counts, live.rate, campaign.state)
    return live


def _add_ledger(channels: Mapping[str, figures.Counts], campaign: Campaign, rows: list[ShardRow]) -> None:
    """Add the messages that shards gave back to the ledger."""
    if not campaign.retried and not any(row.requeued for row in rows):
        return
    for channel, count in campaign.retried.items():
        channels[channel].failed -= count  # the ledger counts them from now on
    for channel, status, count in requeued_rows(campaign):
        counts = channels[channel]
        if status in TAKEN:
            counts.sent += count
        elif status in NOT_SENT or status == Status.UNKNOWN:
            counts.failed += count
        elif status in IN_DOUBT:
            counts.in_flight += count
        else:
            counts.waiting += count


def _failures(campaign: Campaign, tallies: Tallies) -> list[Failure]:
    """The most frequent first."""
    sums: Counter[tuple[str, str]] = Counter()
    if (content := final_content(campaign)) is not None:
        for channel, statuses in content["results"]["channels"].items():
            for status in _FAILED:
                sums.update({(channel, reason): count for reason, count in statuses.get(status.label, {}).items()})
        return [Failure(channel, reason, count) for (channel, reason), count in sums.most_common()]
    open_shards = set()
    for shard_id, channel, reason, count, begun, ended, outcomes, notes in _rows(
        _FAILURES, campaign, known=list(tallies)
    ):
        if shard_id is None:
            sums[channel, reason] += count
            continue
        open_shards.add(shard_id)
        tally = tallies.get(shard_id) or _tally(
            channel, ShardOutcomes.unpack(count, begun, outcomes, b"", notes), ended
        )
        if ended:
            tallies[shard_id] = tally
        sums.update(tally)
    for accounted in tallies.keys() - open_shards:
        del tallies[accounted]
    return [Failure(channel, reason, count) for (channel, reason), count in sums.most_common()]


def _tally(channel: str, outcomes: ShardOutcomes, ended: bool) -> Counter[tuple[str, str]]:
    tally: Counter[tuple[str, str]] = Counter()
    for (status, reason), count in outcomes.tally(ended=ended, stopped=False).items():
        if status in _FAILED:
            tally[channel, reason] += count
    return tally


def _add_wave(live: LiveFigures, campaign: Campaign) -> None:
    coming = next((wave for wave in waves_of(campaign) if wave.at > datetime.now(UTC)), None)
    if coming is not None:
        live.next_wave_at, live.next_messages = coming.at.isoformat(), coming.messages


def _rows(sql: str, campaign: Campaign, **more: Any) -> list[Any]:
    low, high = delivery_id_range(campaign)
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": campaign.tenant_id, "campaign": campaign.pk, "low": low, "high": high, **more})
        return list(cursor.fetchall())
