"""The messages of campaigns that ended longer ago than their tenant keeps messages: counted for the last time, then
deleted. Registered with tenants.retention.

A campaign keeps its messages while one of them is under way or a dead letter, while a correction of it is under way,
and until everything is accounted for. Its own row, its shards (which hold no person) and its report stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q

from campaigns.arming import delivery_id_range, remove_disarmed
from campaigns.models import Campaign
from campaigns.report import stored
from campaigns.states import ENDED, State
from notifier.delivery.retention import campaign_rows, partitions
from notifier.delivery.retention.campaign_rows import OldCampaign
from tenants.retention.periods import Cutoffs
from tenants.retention.registry import Amount, Pace

log = structlog.get_logger("campaigns")

#: a month's table of the ledger stays while it has messages of a campaign that is not counted for the last time. What a
#: draft has left there is not needed: its next arming writes anew
HOLD = """
EXISTS (SELECT FROM campaigns_campaign c WHERE c.first_armed_ms >= %(low_ms)s AND c.first_armed_ms < %(high_ms)s
  AND c.messages_deleted_at IS NULL AND c.report_final_at IS NULL
  AND c.state <> 'draft')
"""


def count_finally(everybody: list[Cutoffs], pace: Pace) -> None:
    """The preparation of each run: count the campaigns whose messages may go."""
    for cutoffs in everybody:
        for campaign in _ended(cutoffs, cutoffs.messages).filter(report_final_at__isnull=True):
            if not pace.may_go_on():
                return
            if not _stays(campaign, cutoffs.messages) and _end(campaign):
                log.info("report is final", action="report", campaign=str(campaign.pk))


def _end(campaign: Campaign) -> bool:
    """Count the campaign for the last time. False: meanwhile somebody has begun a retry or a correction, which lock the
    campaign's row as well (campaigns.lifecycle.running.retrying, campaigns.edit.corrections)."""
    content = stored.last_content(campaign)
    as_counted = Campaign.objects.select_for_update().filter(
        pk=campaign.pk, state=campaign.state, accounted_at=campaign.accounted_at, report_final_at__isnull=True
    )
    with transaction.atomic():
        is_open = as_counted.first() is not None and not _is_corrected(campaign)
        if is_open:
            stored.store(campaign, content, final=True)
    return is_open


def forget_armings(everybody: list[Cutoffs], pace: Pace) -> None:
    """The preparation of each run: a draft that was armed long ago gets ids of its own time when it is armed again. The
    month of the old ones may be gone."""
    if not everybody:
        return
    longest_ms = int(everybody[0].longest.timestamp() * 1000)
    drafts = Campaign.objects.filter(state=State.DRAFT, first_armed_ms__lt=longest_ms)
    for campaign_id in drafts.values_list("pk", flat=True):
        if not pace.may_go_on():
            return
        remove_disarmed(campaign_id)


@dataclass(frozen=True)
class CampaignMessages:
    """The remover."""

    name: str = "campaign_messages"

    def preview(self, cutoffs: Cutoffs) -> Iterator[Amount]:
        amounts = [
            campaign_rows.size_of(_old(campaign, cutoffs.rows))
            for campaign in _ended(cutoffs, cutoffs.rows)
            if campaign.report_final_at is not None or not _stays(campaign, cutoffs.rows)
        ]
        yield Amount(partitions.LEDGER, sum(each.rows for each in amounts), sum(each.size for each in amounts))

    def remove(self, cutoffs: Cutoffs, pace: Pace) -> int:
        removed = 0
        for campaign in _ended(cutoffs, cutoffs.rows).filter(report_final_at__isnull=False):
            rows, is_done = campaign_rows.delete(_old(campaign, cutoffs.rows), pace)
            removed += rows
            if is_done:
                Campaign.objects.filter(pk=campaign.pk).update(messages_deleted_at=datetime.now(UTC))
            if not pace.may_go_on():
                break
        return removed


def _ended(cutoffs: Cutoffs, cutoff: datetime) -> Any:
    """Campaigns of the tenant that ended before, with their messages; the oldest first."""
    ended_before = Q(finished_at__lt=cutoff) | Q(finished_at__isnull=True, stopped_at__lt=cutoff)
    return Campaign.objects.filter(
        ended_before,
        tenant_id=cutoffs.tenant_id,
        first_armed_ms__lt=int(cutoff.timestamp() * 1000),
        messages_deleted_at__isnull=True,
        accounted_at__isnull=False,
        state__in=[State.FINISHED, State.CANCELLED],
    ).order_by("first_armed_ms")


def _stays(campaign: Campaign, cutoff: datetime) -> bool:
    return _is_corrected(campaign) or campaign_rows.holds(_old(campaign, cutoff))


def _is_corrected(campaign: Campaign) -> bool:
    """Whether a correction of the campaign is not over: it asks the ledger who got the messages."""
    return Campaign.objects.filter(corrects=campaign).exclude(state__in=ENDED).exists()


def _old(campaign: Campaign, cutoff: datetime) -> OldCampaign:
    return OldCampaign(campaign.tenant_id, campaign.pk, delivery_id_range(campaign), cutoff)
