"""The rest of a campaign with an A/B test: armed range by range when the winner is chosen, while the campaign runs. The
first messages leave after the first range.

Why not before: with eight variants the rest would be rendered eight times, of which seven are thrown away
(docs/decisions/039).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Least

from campaigns.arming.workers import ranges
from campaigns.audit import Act, record
from campaigns.models import Campaign, Experiment, Shard
from campaigns.states import State, move
from notifier.channels.queues import queue_of
from notifier.tasks import post
from notifier.vocabulary.status import Lane

log = structlog.get_logger("campaigns")


def is_wanted(campaign: Campaign) -> bool:
    """Whether the winner is chosen, and the rest is not armed yet."""
    wanted = Experiment.objects.filter(campaign=campaign, arming_rest=True)
    return campaign.state == State.RUNNING and wanted.exists()


def campaigns_to_arm() -> list[uuid.UUID]:
    """Running campaigns whose rest is not armed yet."""
    wanted = Experiment.objects.filter(arming_rest=True, campaign__state=State.RUNNING)
    return list(wanted.values_list("campaign_id", flat=True))


def publish(campaign: Campaign, shards: Iterable[Shard]) -> None:
    """Put the shards of a range on the queue when the transaction commits; those of a later wave by the sweep. A task
    that is lost is published by the sweep. While the campaign is paused a task ends at once, and resuming publishes
    anew."""
    now = datetime.now(UTC)
    later = [shard.not_before for shard in shards if shard.not_before is not None and shard.not_before > now]
    if later:
        at = min(later)
        Campaign.objects.filter(pk=campaign.pk).update(next_wave_at=Least(Coalesce(F("next_wave_at"), at), at))
    due = [(str(s.pk), s.channel) for s in shards if s.not_before is None or s.not_before <= now]

    def post_all() -> None:
        for shard_id, channel in due:
            post("campaigns.send_shard", shard_id, queue=queue_of(channel, Lane.BULK))

    transaction.on_commit(post_all)


def finish(campaign: Campaign) -> None:
    """Note that the rest is armed, if all of its ranges are."""
    with transaction.atomic():
        # a worker that waits for this lock must read the ranges afterwards
        experiment = Experiment.objects.select_for_update().filter(campaign=campaign, arming_rest=True).first()
        if experiment is None or ranges.is_left(campaign, rest=True):
            return
        Experiment.objects.filter(pk=experiment.pk).update(arming_rest=False)
    log.info("rest armed", action="arm", campaign=str(campaign.pk), variant=experiment.winner)


def halt(campaign: Campaign, why: str) -> None:
    """Pause a campaign whose rest cannot be armed; resuming tries again."""
    reason = f"The rest of the A/B test could not be armed: {why}"[:500]
    with transaction.atomic():
        if move(campaign.pk, State.PAUSED, allowed_from=[State.RUNNING], halted=reason, attempts=0):
            record(campaign, Act.HALTED, why=reason)
    log.warning("arming the rest failed", action="arm", campaign=str(campaign.pk), why=why)
