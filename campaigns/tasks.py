"""The Celery tasks of campaigns, three lines each."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from celery import shared_task
from celery.app.task import Task

from campaigns import arming
from campaigns import sweep as sweeping
from campaigns.arming.workers import scheduler
from campaigns.lifecycle.fan_out import fanout
from campaigns.lifecycle.running import canary, retrying, stopping
from campaigns.report import accounting, stored
from campaigns.sending import shards


@shared_task(name="campaigns.arm", ignore_result=True)
def arm(campaign_id: str) -> None:
    """Arm a campaign that waits for it: this one, or another; see campaigns.arming.workers.scheduler."""
    scheduler.arm_next()


@shared_task(name="campaigns.arm_ranges", ignore_result=True)
def arm_ranges(campaign_id: str) -> None:
    """Arm audience ranges beside other workers; see campaigns.arming.workers.scheduler."""
    scheduler.arm_beside_others(uuid.UUID(campaign_id))


@shared_task(name="campaigns.dispatch", ignore_result=True)
def dispatch(campaign_id: str, since: str = "") -> None:
    """Publish the shards of a campaign that are due; see campaigns.lifecycle.fan_out.fanout."""
    if not fanout.dispatch(uuid.UUID(campaign_id), _time(since)):
        canary.advance(uuid.UUID(campaign_id))


@shared_task(name="campaigns.dispatch_chord", ignore_result=True)
def dispatch_chord(campaign_id: str, first: int, last: int, since: str = "") -> None:
    """Publish the shards of one chord."""
    fanout.dispatch_chord(uuid.UUID(campaign_id), first, last, _time(since))


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@shared_task(name="campaigns.send_shard", bind=True, ignore_result=True)
def send_shard(self: Task[Any, Any], shard_id: str) -> None:
    """Send one shard; see campaigns.sending.shards."""
    shards.send_shard(uuid.UUID(shard_id), str(self.request.hostname or ""))


@shared_task(name="campaigns.finish_chord", ignore_result=True)
def finish_chord(campaign_id: str) -> None:
    """The callback of a chord. A repeat is harmless: the database decides."""
    canary.advance(uuid.UUID(campaign_id))


@shared_task(name="campaigns.cancel_rows", ignore_result=True)
def cancel_rows(campaign_id: str) -> None:
    """Write down what a stop left unsent; see campaigns.lifecycle.running.stopping."""
    stopping.cancel_rows(uuid.UUID(campaign_id))


@shared_task(name="campaigns.account", ignore_result=True)
def account(campaign_id: str) -> None:
    """Copy outcomes into the ledger; see campaigns.report.accounting."""
    accounting.account_in_turn(uuid.UUID(campaign_id))


@shared_task(name="campaigns.report", ignore_result=True)
def report(campaign_id: str) -> None:
    """Count the report of a large campaign; see campaigns.report.stored."""
    stored.count_and_store(uuid.UUID(campaign_id))


@shared_task(name="campaigns.retry", ignore_result=True)
def retry(campaign_id: str) -> None:
    """Queue the next batch of a retry; see campaigns.lifecycle.running.retrying."""
    retrying.queue_failed(uuid.UUID(campaign_id))


@shared_task(name="campaigns.clear", ignore_result=True)
def clear(campaign_id: str) -> None:
    """Remove the rows of a campaign that an edit returned to draft."""
    arming.remove_disarmed(uuid.UUID(campaign_id))


@shared_task(name="campaigns.sweep", ignore_result=True)
def sweep() -> None:
    """Every second: see campaigns.sweep."""
    sweeping.sweep()
