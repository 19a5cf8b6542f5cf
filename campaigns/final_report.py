"""The last counts of a campaign, which stay when its messages are deleted. What would count the ledger reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from campaigns.models import Campaign, CampaignReport


def final_content(campaign: Campaign) -> Mapping[str, Any] | None:
    """The content of the campaign's last report; None while its messages are in the ledger. Costs a campaign that has
    its messages no query."""
    if campaign.report_final_at is None:
        return None
    return dict(CampaignReport.objects.values_list("content", flat=True).get(campaign=campaign))
