"""Fan-out: which shards may leave, and the wakeup tasks that send them. A wakeup task carries only the shard's id; a
repeated one finds nothing to claim.

Two levels: `dispatch` splits the shards of a campaign into ranges, `dispatch_chord` publishes the shards of one range
as a chord. Of a campaign at local time only shards that are due are published (campaigns.lifecycle.fan_out.waves)."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from celery import chord, current_app
from celery.canvas import Signature
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from campaigns.lifecycle.fan_out import waves
from campaigns.models import Campaign, Rollout, Shard
from notifier import failpoints
from notifier.channels.queues import CONTROL, queue_of
from notifier.delivery.infra.database_clock import database_now
from notifier.tasks import post, waiting
from notifier.vocabulary.status import Lane

#: states of a shard that may still have messages to send
OPEN = (Shard.State.ARMED, Shard.State.RUNNING)
#: shards of each channel that are published before the chords: one for each of so many senders. The chords contain
#: their wakeup tasks as well: a second wakeup task costs a sender 1 ms, and a chord without them would end before they
#: do
FIRST_SHARDS = 8
#: the sweep publishes at most so many open shards of each channel again
MAX_REPUBLISHED = 200
#: header tasks of one chord: GO to the first shard was measured at 30 ms with 100, 251 ms with 4,000. In a chord a
#: wakeup task costs 0.2 ms of CPU more to publish (0.8 instead of 0.6), and 0.25 ms more to report: half a microsecond
#: a message
CHORD_SIZE = 250

#: until the canary has passed only the canary may leave
_LEAVING = Q(canary=True) | Q(campaign__rollout=Rollout.ALL) | Q(campaign__canary_passed_at__isnull=False)
#: the same in SQL, for campaigns_shard s and campaigns_campaign c; no shard of a halted channel, and none that is not
#: due at %(now)s
MAY_LEAVE = f"""
((s.canary OR c.rollout = 'all' OR c.canary_passed_at IS NOT NULL) AND NOT c.halted_channels ? s.channel
 AND {waves.DUE})
"""

# what `sendable_shards` returns, and shards whose worker was lost
_OPEN_SHARDS = f"""
SELECT id, channel FROM (
  SELECT s.id, s.channel, s.number, row_number() OVER (PARTITION BY s.channel ORDER BY s.number) AS nth
  FROM campaigns_shard s JOIN campaigns_campaign c ON c.id = s.campaign_id
  WHERE c.id = %(campaign)s AND c.state = 'running' AND {MAY_LEAVE}
    AND (s.state = 'armed' OR (s.state = 'running' AND s.lease_until < now()))) s
WHERE nth <= {MAX_REPUBLISHED} ORDER BY number
"""


def sendable_shards(campaign_id: uuid.UUID, now: datetime | None = None) -> QuerySet[Shard]:
    """Shards that no worker has claimed and that may leave now, by number. `now`: instead of the database's clock."""
    running = Q(campaign=campaign_id, campaign__state=Campaign.State.RUNNING)
    may_leave = running & _LEAVING & waves.is_due(now)
    shards = Shard.objects.filter(may_leave, state=Shard.State.ARMED).order_by("number")
    for halted in Campaign.objects.filter(pk=campaign_id).values_list("halted_channels", flat=True):
        shards = shards.exclude(channel__in=list(halted))
    return shards


def start_fanout(campaign: Campaign, now: datetime | None = None) -> None:
    """Publish the first shards and the fan-out task when the caller's transaction commits.

    The first shards do not wait for a worker of the control queue. This function reads them before the commit: after
    its transaction a web process sees no tenant's rows any more."""
    now = now or database_now()
    first: list[tuple[uuid.UUID, str]] = []
    per_channel: Counter[str] = Counter()
    for pk, channel in sendable_shards(campaign.pk, now).values_list("pk", "channel")[: FIRST_SHARDS * 8]:
        per_channel[channel] += 1
        if per_channel[channel] <= FIRST_SHARDS:
            first.append((pk, channel))
    if campaign.local_time is not None:
        waves.set_next_wave(campaign.pk, now)

    def post_all() -> None:
        failpoints.reach("go.before-fanout")
        for pk, channel in first:
            enqueue(pk, channel)
        post("campaigns.dispatch", str(campaign.pk))

    transaction.on_commit(post_all)
    failpoints.reach("go.before-commit")


def enqueue(shard_id: uuid.UUID, channel: str) -> bool:
    """Publish the wakeup task of one shard; False while the broker is away."""
    return post("campaigns.send_shard", str(shard_id), queue=queue_of(channel, Lane.BULK))


def dispatch_due_waves(now: datetime) -> None:
    """Publish the fan-out task of each wave that has become due. The sweep calls this. A task that is lost between the
    UPDATE and the broker is published by `enqueue_lost`."""
    for campaign_id, since in waves.take_due(now):
        post("campaigns.dispatch", str(campaign_id), since.isoformat())


def dispatch(campaign_id: uuid.UUID, since: datetime | None = None, chord_size: int = CHORD_SIZE) -> bool:
    """First level: publish a `dispatch_chord` for each range but the first, which is dispatched here. `since`: only of
    the waves that became due from then on. False when no shard may leave."""
    ranges = chord_ranges(list(_of_waves(campaign_id, since).values_list("number", flat=True)), chord_size)
    for first, last in ranges[1:]:
        since_text = [since.isoformat()] if since else []
        args = (str(campaign_id), first, last, *since_text)
        current_app.send_task("campaigns.dispatch_chord", args=args, queue=CONTROL, ignore_result=True)
    if ranges:
        dispatch_chord(campaign_id, *ranges[0], since)
    return bool(ranges)


def dispatch_chord(campaign_id: uuid.UUID, first: int, last: int, since: datetime | None = None) -> None:
    """Second level: publish the shards `first` to `last` as a chord. The chord's callback is only the fast path to the
    end of the campaign; the database decides."""
    shards = _of_waves(campaign_id, since).filter(number__gte=first, number__lte=last).values_list("pk", "channel")
    header = [_signature("campaigns.send_shard", str(pk), queue=queue_of(channel, Lane.BULK)) for pk, channel in shards]
    if header:
        failpoints.reach("fanout.before-chord")
        chord(header)(_signature("campaigns.finish_chord", str(campaign_id), queue=CONTROL))


def _of_waves(campaign_id: uuid.UUID, since: datetime | None) -> QuerySet[Shard]:
    """What may leave, of the waves from `since` on: wakeup tasks of earlier waves are on the queue already."""
    shards = sendable_shards(campaign_id)
    return shards if since is None else shards.filter(not_before__gte=since)


def _signature(task: str, argument: str, queue: str) -> Signature[None]:
    return current_app.signature(task, args=(argument,), immutable=True, options={"queue": queue})


def enqueue_lost(campaign_id: uuid.UUID, now: datetime | None = None) -> None:
    """Publish open shards again if their queue is empty. While workers are busy, wakeup tasks wait in the queue; an
    empty queue beside open shards means that wakeup tasks were lost. A wave that is not due yet is not lost."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_SHARDS, {"campaign": campaign_id, "now": now})
        open_shards = cursor.fetchall()
    channels = {channel for _, channel in open_shards}
    empty = {channel for channel in channels if not waiting(queue_of(channel, Lane.BULK))}
    for shard_id, channel in open_shards:
        if channel in empty:
            enqueue(shard_id, channel)


def chord_ranges(numbers: Sequence[int], size: int) -> list[tuple[int, int]]:
    """Split ascending numbers into ranges of at most `size`: (first, last) of each."""
    return [(part[0], part[-1]) for part in (numbers[at : at + size] for at in range(0, len(numbers), size))]
