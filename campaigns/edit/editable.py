"""Whether the content of a campaign may change."""

from __future__ import annotations

from campaigns.models import Campaign
from campaigns.states import LAUNCHED, State
from notifier.errors import Conflict


def check_editable(campaign: Campaign) -> None:
    """Raise Conflict unless every field of the campaign may change."""
    if campaign.launched_at is not None:
        raise Conflict("This campaign was launched and cannot be edited any more; copy it.", code="already_launched")
    if campaign.state == State.LAUNCHING:
        raise Conflict("This campaign is about to leave; take it back to edit it.", code="not_editable")
    if campaign.state in LAUNCHED:
        raise Conflict(
            f"This campaign is {campaign.state} and cannot be edited any more; copy it.", code="not_editable"
        )
