"""The names of all queues: two of each channel, one for each pace of its lanes, and two of nobody's.

`control` for what people and the clock start and what is short (fan-out, sweeps); `batch` for what takes its time
(imports, arming, accounting), so that no stop waits behind it; `<channel>` for critical and transactional messages;
`<channel>.bulk` for campaigns and marketing, in other worker processes, so that an OTP never waits behind a blast.
"""

from __future__ import annotations

from notifier.channels.base import channels
from notifier.vocabulary.status import Lane

CONTROL, BATCH = "control", "batch"

#: the lanes of a channel that share a queue
LANES_OF_QUEUES = ((Lane.CRITICAL, Lane.TRANSACTIONAL), (Lane.BULK,))

_BULK = ".bulk"


def queue_of(channel: str, lane: int) -> str:
    return f"{channel}{_BULK}" if lane == Lane.BULK else channel


def is_bulk(queue: str) -> bool:
    return queue.endswith(_BULK)


def channel_and_lanes(queue: str) -> tuple[str, tuple[Lane, ...]]:
    """The channel and the lanes whose messages a doorbell on this queue is for."""
    return queue.removesuffix(_BULK), LANES_OF_QUEUES[is_bulk(queue)]


def queues() -> list[str]:
    """Every queue that needs a worker."""
    return [CONTROL, BATCH] + [queue_of(name, lanes[0]) for name in sorted(channels()) for lanes in LANES_OF_QUEUES]
