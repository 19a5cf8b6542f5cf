"""The campaigns' Celery tasks: arming, the two-level fan-out, shards, and the sweep that makes up for
whatever Celery or Redis lost."""

from __future__ import annotations

import uuid
from typing import Any

from celery import chord, shared_task
from celery.app.task import Task
from django.db import connection

from campaigns import arming
from campaigns.arming import scheduler
from campaigns.lifecycle import canary, control, fanout, launch
from campaigns.lifecycle.finish import finish_if_done, pause_if_only_halted
from campaigns.models import Campaign
from campaigns.preflight import rehearse
from campaigns.report import accounting
from campaigns.sending import shards
from campaigns.states import State
from notifier.channels.queues import BATCH, CONTROL, queue_of
from notifier.delivery.ledger import campaign_rows
from notifier.tasks import post, waiting
from notifier.vocabulary.status import Lane
from tenants.batch_slots import batch_slot

#: header tasks of one chord: GO to first shard was measured at 30 ms with 100, 251 ms with 4,000. In a chord a doorbell
#: costs 0.2 ms of CPU more to publish (0.8 instead of 0.6), and 0.25 ms more to report: half a microsecond a message
CHORD = 250


@shared_task(name="campaigns.arm", ignore_result=True)
def arm(campaign_id: str) -> None:
    """Some campaign waits to be armed, this one among others; see campaigns.arming.scheduler."""
    scheduler.arm_next()


@shared_task(name="campaigns.arm_ranges", ignore_result=True)
def arm_ranges(campaign_id: str) -> None:
    """Arm slices beside other workers; see campaigns.arming.scheduler."""
    scheduler.arm_beside_others(uuid.UUID(campaign_id))


@shared_task(name="campaigns.dispatch", ignore_result=True)
def dispatch(campaign_id: str) -> None:
    """First level: one wave per CHORD shards that may leave; a small campaign is its own only wave."""
    numbers = list(fanout.leaving(uuid.UUID(campaign_id)).values_list("number", flat=True))
    waves = fanout.waves(numbers, CHORD)
    for first, last in waves[1:]:
        dispatch_wave.apply_async(args=(campaign_id, first, last), queue=CONTROL)
    if waves:
        dispatch_wave(campaign_id, *waves[0])
    else:
        finish_wave(campaign_id)


@shared_task(name="campaigns.dispatch_wave", ignore_result=True)
def dispatch_wave(campaign_id: str, first: int, last: int) -> None:
    """Second level: a chord over one wave's shards. Its callback is the fast path only; the ledger is the truth."""
    mine = fanout.leaving(uuid.UUID(campaign_id)).filter(number__gte=first, number__lte=last)
    header = [
        send_shard.si(str(pk)).set(queue=queue_of(channel, Lane.BULK))
        for pk, channel in mine.values_list("pk", "channel")
    ]
    if header:
        chord(header)(finish_wave.si(campaign_id).set(queue=CONTROL))


@shared_task(name="campaigns.send_shard", bind=True, ignore_result=True)
def send_shard(self: Task[Any, Any], shard_id: str) -> None:
    """Send one shard; see campaigns.sending.shards."""
    shards.send_shard(uuid.UUID(shard_id), str(self.request.hostname or ""))


@shared_task(name="campaigns.finish_wave", ignore_result=True)
def finish_wave(campaign_id: str) -> None:
    """A chord's callback: SQL decides whether it is finished or its canary is done, whoever calls and however often."""
    if not (finish_if_done(uuid.UUID(campaign_id)) or pause_if_only_halted(uuid.UUID(campaign_id))):
        canary.decide(uuid.UUID(campaign_id))


@shared_task(name="campaigns.cancel_rows", ignore_result=True)
def cancel_rows(campaign_id: str) -> None:
    """Write down what a stop left unsent; see campaigns.lifecycle.control."""
    control.cancel_rows(uuid.UUID(campaign_id))


@shared_task(name="campaigns.account", ignore_result=True)
def account(campaign_id: str) -> None:
    """Copy outcomes into the ledger; see campaigns.report.accounting. Without a turn, the sweep rings again."""
    with batch_slot(Campaign.objects.values_list("tenant_id", flat=True).get(pk=campaign_id)) as mine:
        if mine:
            accounting.account(uuid.UUID(campaign_id))


@shared_task(name="campaigns.clear", ignore_result=True)
def clear(campaign_id: str) -> None:
    """Remove the rows of a campaign that an edit returned to draft."""
    arming.remove_disarmed(uuid.UUID(campaign_id))


@shared_task(name="campaigns.sweep", ignore_result=True)
def sweep() -> None:
    """Every second: launch what was held long enough, look after what runs, and ring again for whatever waits while its
    queue is empty."""
    launch.launch_held()
    rehearse.launch_armed()
    for campaign_id in _in_state(State.RUNNING):
        if not (finish_if_done(campaign_id) or pause_if_only_halted(campaign_id)):
            canary.decide(campaign_id)
            canary.watch(campaign_id)
            _enqueue_shards(campaign_id)
    for campaign_id in _ids(_STOPPED_WITH_ROWS):
        post("campaigns.cancel_rows", str(campaign_id))
    if not waiting(BATCH):
        for campaign_id in _in_state(State.ARMING):
            if not arming.is_being_armed(campaign_id):
                post("campaigns.arm", str(campaign_id), queue=BATCH)
        for campaign_id in _ids(_DRAFTS_WITH_ROWS):
            post("campaigns.clear", str(campaign_id), queue=BATCH)
        for campaign_id in accounting.due():
            post("campaigns.account", str(campaign_id), queue=BATCH)


# what fanout.leaving says, and shards whose holder was lost
_OPEN_SHARDS = f"""
SELECT id, channel FROM (
  SELECT s.id, s.channel, s.number, row_number() OVER (PARTITION BY s.channel ORDER BY s.number) AS nth
  FROM campaigns_shard s JOIN campaigns_campaign c ON c.id = s.campaign_id
  WHERE c.id = %s AND c.state = 'running' AND {fanout.MAY_LEAVE}
    AND (s.state = 'armed' OR (s.state = 'running' AND s.lease_until < now()))) s
WHERE nth <= 200 ORDER BY number
"""

# what the ledger was handed may wait there for another attempt; after a day none does, and old campaigns cost nothing
_STOPPED_WITH_ROWS = f"""
SELECT c.id FROM campaigns_campaign c WHERE c.state = 'cancelled' AND (
  EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id
          AND (s.state = 'armed' OR (s.state = 'running' AND s.lease_until < now())))
  OR c.stopped_at > now() - interval '1 day' AND {campaign_rows.waiting("c.id")})
"""


_DRAFTS_WITH_ROWS = """
SELECT c.id FROM campaigns_campaign c WHERE c.state = 'draft' AND (
  EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id)
  OR EXISTS (SELECT 1 FROM campaigns_audiencerange s WHERE s.campaign_id = c.id))
"""


def _enqueue_shards(campaign_id: uuid.UUID) -> None:
    """Doorbells lie in the queue while workers are busy; an empty queue beside open shards: some were lost."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_SHARDS, [campaign_id])
        open_shards = cursor.fetchall()
    empty = {channel for channel in {c for _, c in open_shards} if not waiting(queue_of(channel, Lane.BULK))}
    for shard_id, channel in open_shards:
        if channel in empty:
            fanout.enqueue(shard_id, channel)


def _in_state(state: State) -> list[uuid.UUID]:
    return list(Campaign.objects.filter(state=state).values_list("pk", flat=True))


def _ids(query: str) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]
