"""The names of all queues: two for each channel, and four that belong to no channel.

`control` is for short tasks that people and the clock start (fan-out, sweeps). `batch` is for long tasks (imports,
arming, accounting), so that no stop waits behind them. `receipts` is for what providers report: thousands of calls a
second after a campaign must delay no stop, and must not wait behind an import. `webhooks` is for requests to servers of
tenants, which may be slow. `<channel>` is for critical and transactional messages. `<channel>.bulk` is for campaigns
and marketing, in worker processes of its own, so that a one-time password never waits behind a campaign.
"""

from __future__ import annotations

from notifier.channels.base import channels
from notifier.vocabulary.status import Lane

CONTROL, BATCH, RECEIPTS, WEBHOOKS = "control", "batch", "receipts", "webhooks"

#: the lanes of a channel's two queues
LANES_OF_QUEUES = ((Lane.CRITICAL, Lane.TRANSACTIONAL), (Lane.BULK,))

_BULK = ".bulk"


def queue_of(channel: str, lane: int) -> str:
    return f"{channel}{_BULK}" if lane == Lane.BULK else channel


def is_bulk(queue: str) -> bool:
    return queue.endswith(_BULK)


def channel_and_lanes(queue: str) -> tuple[str, tuple[Lane, ...]]:
    """The channel and the lanes whose messages workers of this queue send."""
    return queue.removesuffix(_BULK), LANES_OF_QUEUES[is_bulk(queue)]


def queues() -> list[str]:
    """Every queue that needs a worker."""
    of_channels = [queue_of(name, lanes[0]) for name in sorted(channels()) for lanes in LANES_OF_QUEUES]
    return [CONTROL, BATCH, RECEIPTS, WEBHOOKS, *of_channels]
