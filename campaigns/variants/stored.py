"""The counts of an A/B test for a page: of a small campaign counted now, of a large one from the row of its report.

Counting a test of 500,000 messages took 6 s for each look. Now the first look counts, a task counts again what is old
(campaigns.report.stored), and a look reads one row. The rule does not use these counts: it counts at its planned look.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from campaigns.models import Campaign, CampaignReport, CampaignVariant, Experiment
from campaigns.report import stored
from campaigns.variants.counting import count_variants, no_counts
from notifier.delivery.ledger.campaigns.campaign_variants import PartCounts

#: the key of the stored content
PARTS = "parts"

Counts = Mapping[str, PartCounts]


def counts_of(
    campaign: Campaign, experiment: Experiment, variants: list[CampaignVariant], small: int = stored.SMALL
) -> tuple[Counts, datetime]:
    """The counts, and when they were made. `small`: the most messages that are counted now."""
    now = datetime.now(UTC)
    if campaign.launched_at is None:
        return no_counts(variants), now
    is_final = campaign.report_final_at is not None
    if not is_final and stored.messages_of(campaign) <= small:
        return count_variants(campaign, experiment, variants), now
    row = CampaignReport.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign).first()
    if row is None or row.computed_at is None or row.content.get(PARTS) is None:
        return _count_first(campaign, experiment, variants)
    if not is_final and stored.is_old(campaign, row, now):
        stored.request(campaign, row, now)
    return no_counts(variants) | _unpack(row.content[PARTS]), row.computed_at


def count_parts(campaign: Campaign) -> dict[str, list[int]] | None:
    """What each stored report has of a test; None of a campaign without variants (registered)."""
    experiment = Experiment.objects.filter(campaign=campaign).first()
    if experiment is None:
        return None
    variants = list(CampaignVariant.objects.filter(campaign=campaign))
    return {key: list(counts) for key, counts in count_variants(campaign, experiment, variants).items()}


def _count_first(
    campaign: Campaign, experiment: Experiment, variants: list[CampaignVariant]
) -> tuple[Counts, datetime]:
    """Count now, and let the task store the whole report for the next look."""
    now = datetime.now(UTC)
    counts = count_variants(campaign, experiment, variants)
    stored.request(campaign, CampaignReport.objects.filter(campaign=campaign).first(), now)
    return counts, now


def _unpack(parts: Mapping[str, Any]) -> dict[str, PartCounts]:
    return {key: PartCounts(*counts) for key, counts in parts.items()}
