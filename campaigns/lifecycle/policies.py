"""What the engine must know of a campaign before it sends a row of it. `AppConfig.ready` registers `policies`."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping

from campaigns.models import Campaign
from campaigns.states import State
from notifier.delivery.recheck import CampaignPolicy


def policies(campaign_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, CampaignPolicy]:
    """The policy of each campaign: stopped, paused, its rate, its halted channels."""
    rows = Campaign.objects.filter(pk__in=campaign_ids).values_list("pk", "state", "rate_per_s", "halted_channels")
    return {
        pk: CampaignPolicy(state == State.CANCELLED, state == State.PAUSED, rate, frozenset(halted))
        for pk, state, rate, halted in rows
    }
