"""What a campaign gives to digests: an item for each message that exceeded a frequency cap."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from campaigns.models import Campaign
from campaigns.states import State

#: nothing of a paused, stopped or failed campaign leaves, and so no item of it
_MAY_LEAVE = (State.LAUNCHING, State.RUNNING, State.FINISHED)


def digest_items(campaign_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Mapping[str, Any]]:
    """The data and the name of those of these campaigns whose messages may leave."""
    campaigns = Campaign.objects.filter(pk__in=campaign_ids, state__in=_MAY_LEAVE)
    return {pk: {"campaign": name, **data} for pk, name, data in campaigns.values_list("pk", "name", "data")}
