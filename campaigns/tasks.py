"""The campaigns' Celery tasks: arming, the two-level fan-out of DESIGN §7, shards, and the sweep that makes up for
whatever Celery or Redis lost."""

from __future__ import annotations

import uuid
from typing import Any

from celery import chord, shared_task
from celery.app.task import Task
from django.db import connection

from campaigns import control, prepare, shards
from campaigns.finish import finish_if_done
from campaigns.models import Campaign, Shard
from campaigns.states import State
from notifier.tasks import CONTROL, post, waiting
from notifier.vocabulary import Status

#: header tasks of one chord: GO to first shard was measured at 30 ms with 100, 251 ms with 4,000
CHORD = 250


@shared_task(name="campaigns.arm", ignore_result=True)
def arm(campaign_id: str) -> None:
    """Arm a campaign; see campaigns.prepare."""
    prepare.arm(uuid.UUID(campaign_id))


@shared_task(name="campaigns.dispatch", ignore_result=True)
def dispatch(campaign_id: str) -> None:
    """First level: one wave per CHORD shards; a small campaign is its own only wave."""
    shard_count = Shard.objects.filter(campaign_id=campaign_id).count()
    waves = range(0, shard_count, CHORD)
    for start in waves[1:]:
        dispatch_wave.apply_async(args=(campaign_id, start), queue=CONTROL)
    if waves:
        dispatch_wave(campaign_id, 0)


@shared_task(name="campaigns.dispatch_wave", ignore_result=True)
def dispatch_wave(campaign_id: str, start: int) -> None:
    """Second level: a chord over one wave's shards. Its callback is the fast path only; the ledger is the truth."""
    numbered = Shard.objects.filter(campaign_id=campaign_id, number__gt=start, number__lte=start + CHORD)
    header = [
        send_shard.si(str(pk)).set(queue=f"{channel}.bulk")
        for pk, channel in numbered.order_by("number").values_list("pk", "channel")
    ]
    if header:
        chord(header)(finish_wave.si(campaign_id).set(queue=CONTROL))


@shared_task(name="campaigns.send_shard", bind=True, ignore_result=True)
def send_shard(self: Task[Any, Any], shard_id: str) -> None:
    """Send one shard; see campaigns.shards."""
    shards.send_shard(uuid.UUID(shard_id), str(self.request.hostname or ""))


@shared_task(name="campaigns.finish_wave", ignore_result=True)
def finish_wave(campaign_id: str) -> None:
    """A chord's callback: one SQL statement decides, whoever calls it and however often."""
    finish_if_done(uuid.UUID(campaign_id))


@shared_task(name="campaigns.cancel_rows", ignore_result=True)
def cancel_rows(campaign_id: str) -> None:
    """Write down what a stop left unsent; see campaigns.control."""
    control.cancel_rows(uuid.UUID(campaign_id))


@shared_task(name="campaigns.clear", ignore_result=True)
def clear(campaign_id: str) -> None:
    """Remove the rows of a campaign that an edit returned to draft."""
    prepare.clear_disarmed(uuid.UUID(campaign_id))


@shared_task(name="campaigns.sweep", ignore_result=True)
def sweep() -> None:
    """Every second: ring again for whatever waits while its queue is empty, and finish what is done."""
    for campaign_id, state in Campaign.objects.filter(state__in=[State.ARMING, State.RUNNING]).values_list(
        "pk", "state"
    ):
        if state == State.ARMING:
            if not waiting(CONTROL):
                post("campaigns.arm", str(campaign_id))
        elif not finish_if_done(campaign_id) and not _ring_shards(campaign_id):
            control.close_doubt(campaign_id)
    for campaign_id in _ids(_STOPPED_WITH_ROWS):
        post("campaigns.cancel_rows", str(campaign_id))
    if not waiting(CONTROL):
        for campaign_id in _ids(_DRAFTS_WITH_ROWS):
            post("campaigns.clear", str(campaign_id))


_OPEN_SHARDS = """
SELECT id, channel FROM (
  SELECT id, channel, number, row_number() OVER (PARTITION BY channel ORDER BY number) AS nth
  FROM campaigns_shard WHERE campaign_id = %s
    AND (state = 'armed' OR (state = 'running' AND lease_until < now()))) s
WHERE nth <= 200 ORDER BY number
"""

# rows that were on the wire may come back for a retry; after a day none is left, and old campaigns cost nothing
_STOPPED_WITH_ROWS = f"""
SELECT c.id FROM campaigns_campaign c WHERE c.state = 'cancelled' AND (
  EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id
          AND (s.state = 'armed' OR (s.state = 'running' AND s.lease_until < now())))
  OR c.stopped_at > now() - interval '1 day' AND EXISTS (
    SELECT 1 FROM notifier_delivery d WHERE d.campaign_id = c.id
      AND d.status IN ({Status.ARMED}, {Status.QUEUED}, {Status.CLAIMED}, {Status.SENDING})))
"""


_DRAFTS_WITH_ROWS = """
SELECT DISTINCT c.id FROM campaigns_campaign c JOIN campaigns_shard s ON s.campaign_id = c.id WHERE c.state = 'draft'
"""


def _ring_shards(campaign_id: uuid.UUID) -> bool:
    """Doorbells lie in the queue while workers are busy; an empty queue beside open shards: some were lost. Returns
    whether there are any that nobody holds."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_SHARDS, [campaign_id])
        open_shards = cursor.fetchall()
    empty = {channel for channel in {c for _, c in open_shards} if not waiting(f"{channel}.bulk")}
    for shard_id, channel in open_shards:
        if channel in empty:
            post("campaigns.send_shard", str(shard_id), queue=f"{channel}.bulk")
    return bool(open_shards)


def _ids(query: str) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]
