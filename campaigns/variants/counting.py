"""What the people of each part of an A/B test did, counted in the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from campaigns.arming import delivery_id_range
from campaigns.arming.planning.assignment import SLOT_SQL
from campaigns.arming.planning.variants import parts_for
from campaigns.models import Campaign, CampaignVariant, Experiment
from notifier.delivery.ledger.campaigns.campaign_variants import PartCounts, PartQuery, count_parts


def count_variants(
    campaign: Campaign, experiment: Experiment, variants: list[CampaignVariant]
) -> Mapping[str, PartCounts]:
    """Part (a variant's key, or REST) -> counts of people; every variant has an entry. Messages whose outcome is not in
    the ledger yet are not counted: accounting copies a shard half a minute after the shard has ended."""
    if campaign.launched_at is None:
        return no_counts(variants)
    parts = parts_for(experiment, variants)
    category = campaign.category
    query = PartQuery(
        campaign.tenant_id,
        campaign.pk,
        delivery_id_range(campaign),
        SLOT_SQL,
        parts.starts,
        campaign.launched_at,
        [category, *(f"{category}:{name}" for name in campaign.channels)] if category else [],
        campaign.channels,
    )
    return no_counts(variants) | {parts.keys[row.part]: row for row in count_parts(query)}


def no_counts(variants: list[CampaignVariant]) -> dict[str, PartCounts]:
    """Each variant, with nobody."""
    return {each.key: PartCounts(0, 0, 0, 0, 0, 0, 0) for each in variants}
