"""Which shards may leave, and their doorbells. A doorbell carries nothing: a repeated one finds nothing to claim."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from campaigns.models import Campaign, Rollout, Shard
from notifier.channels.queues import queue_of
from notifier.tasks import post
from notifier.vocabulary.status import Lane

#: rung by whoever launches, before anything else happens: a shard for each of so many senders of a channel. They are in
#: the chords again: a second doorbell costs a sender 1 ms, and a chord without them would end before they do
FIRST = 8

#: until the canary has passed nothing else may leave
_LEAVING = Q(canary=True) | Q(campaign__rollout=Rollout.ALL) | Q(campaign__canary_passed_at__isnull=False)
#: the same in SQL, of campaigns_shard s and campaigns_campaign c; and nothing of a channel that paused itself
MAY_LEAVE = """
((s.canary OR c.rollout = 'all' OR c.canary_passed_at IS NOT NULL) AND NOT c.halted_channels ? s.channel)
"""


def leaving(campaign_id: uuid.UUID) -> QuerySet[Shard]:
    """Shards that nobody has taken and that may leave now, in their order."""
    running = Q(campaign=campaign_id, campaign__state=Campaign.State.RUNNING)
    found = Shard.objects.filter(running, _LEAVING, state=Shard.State.ARMED).order_by("number")
    for halted in Campaign.objects.filter(pk=campaign_id).values_list("halted_channels", flat=True):
        found = found.exclude(channel__in=list(halted))
    return found


def set_off(campaign_id: uuid.UUID) -> None:
    """The first doorbells, then the fan-out, with the commit of the transaction that makes the campaign run.

    They do not wait for a worker of the control queue. The shards are read now: after its transaction a web process
    sees no tenant's rows any more."""
    first: list[tuple[uuid.UUID, str]] = []
    enqueued: Counter[str] = Counter()
    for pk, channel in leaving(campaign_id).values_list("pk", "channel")[: FIRST * 8]:
        enqueued[channel] += 1
        if enqueued[channel] <= FIRST:
            first.append((pk, channel))

    def post_all() -> None:
        for pk, channel in first:
            enqueue(pk, channel)
        post("campaigns.dispatch", str(campaign_id))

    transaction.on_commit(post_all)


def enqueue(shard_id: uuid.UUID, channel: str) -> bool:
    return post("campaigns.send_shard", str(shard_id), queue=queue_of(channel, Lane.BULK))


def waves(numbers: Sequence[int], size: int) -> list[tuple[int, int]]:
    """Cut ascending numbers into runs of at most `size`: (first, last) of each."""
    return [(run[0], run[-1]) for run in (numbers[at : at + size] for at in range(0, len(numbers), size))]
