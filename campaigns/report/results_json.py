"""The results of a campaign as the API answers them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from campaigns.report.results import NOT_SENT, Results, reported_of
from campaigns.report.times import Times
from notifier.vocabulary.status import TAKEN, Status

_WITH_REASONS = (*NOT_SENT, Status.UNKNOWN, Status.BOUNCED)


def as_json(report: Results) -> dict[str, Any]:
    """The API's answer. `sent` counts messages that a provider accepted, delivered or not, but for those that it gave
    up on later (`failed`, undelivered)."""
    return {
        "state": report.state,
        "audience": report.audience,
        "topic": report.topic,
        "unreached": report.unreached,
        "excluded": report.excluded,
        "suppressed": _reasons(report.channels.values(), Status.SUPPRESSED),
        "sent": report.sent,
        "not_sent": report.not_sent,
        "in_doubt": report.in_doubt,
        "waiting": report.waiting,
        "reported": report.reported,
        "counted": report.counted,
        "waves": [asdict(wave) for wave in report.waves],
        "seconds": report.seconds,
        "rate_per_s": report.rate,
        **_times_json(report.times),
        "channels": {name: _channel_json(report, name) for name in sorted(report.channels)},
        "throughput": [{**asdict(point), "rate_per_s": point.rate} for point in report.throughput],
        "accounts": [asdict(row) for row in report.accounts],
        "workers": [{**asdict(worker), "rate_per_s": worker.rate} for worker in report.workers],
        "shards": report.shards,
    }


def _channel_json(report: Results, name: str) -> dict[str, Any]:
    statuses = report.channels[name]
    counts = {status.label: sum(statuses.get(status.label, {}).values()) for status in Status}
    sent = sum(counts[status.label] for status in TAKEN)
    times = report.channel_times.get(name, Times())
    seconds = times.last / 1000 if times.last else None
    return {
        **counts,
        "sent": sent,
        "segments": report.segments.get(name, 0),
        "reported": reported_of(statuses),
        **{f"{status.label}_by_reason": statuses.get(status.label, {}) for status in _WITH_REASONS},
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
