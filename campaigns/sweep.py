"""The sweep: every second, repair what Celery or Redis may have lost."""

from __future__ import annotations

import uuid
from datetime import datetime

from campaigns import arming
from campaigns.lifecycle.fan_out import fanout
from campaigns.lifecycle.launching import launch, planned
from campaigns.lifecycle.running import canary, retrying, stopping, winner
from campaigns.models import Campaign
from campaigns.preflight import rehearse
from campaigns.report import accounting
from campaigns.schedules import sweep as schedules_sweep
from campaigns.states import State
from campaigns.variants import rule
from notifier.channels.queues import BATCH
from notifier.delivery.infra.database_clock import database_now
from notifier.tasks import post, waiting


def sweep(now: datetime | None = None) -> None:
    """Launch campaigns whose hold is over or whose planned time has come, publish waves that have become due, choose
    winners of A/B tests by their rules, run schedules, check running campaigns, and publish tasks that were lost.
    `now`: instead of the database's clock, for planned times, waves, rules and schedules."""
    now = now or database_now()
    launch.launch_held()
    planned.launch_planned(now)
    fanout.dispatch_due_waves(now)
    winner.close_late(now)
    rule.decide_due(now)
    rehearse.launch_armed()
    schedules_sweep.sweep(now)
    for campaign_id in _in_state(State.RUNNING):
        if not canary.advance(campaign_id, now):
            canary.watch(campaign_id)
            fanout.enqueue_lost(campaign_id, now)
    for campaign_id in stopping.stopped_with_rows():
        post("campaigns.cancel_rows", str(campaign_id))
    if not waiting(BATCH):
        _publish_batch_work()


def _publish_batch_work() -> None:
    """Campaigns that wait for a worker of the queue `batch`."""
    for campaign_id in _in_state(State.ARMING):
        if not arming.is_being_armed(campaign_id):
            post("campaigns.arm", str(campaign_id), queue=BATCH)
    for campaign_id in arming.campaigns_with_rest_to_arm():
        if not arming.is_being_armed(campaign_id):
            post("campaigns.arm", str(campaign_id), queue=BATCH)
    for campaign_id in arming.drafts_with_rows():
        post("campaigns.clear", str(campaign_id), queue=BATCH)
    for campaign_id in retrying.under_way():
        post("campaigns.retry", str(campaign_id), queue=BATCH)
    for campaign_id in accounting.due():
        post("campaigns.account", str(campaign_id), queue=BATCH)


def _in_state(state: State) -> list[uuid.UUID]:
    return list(Campaign.objects.filter(state=state).values_list("pk", flat=True))
