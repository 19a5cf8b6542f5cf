"""Delete a draft. What was launched stays: it is the account of messages that people got."""

from __future__ import annotations

from django.db import transaction

from campaigns.lifecycle.transition import By, record_control
from campaigns.models import AudienceRange, Campaign, Shard
from campaigns.states import State
from notifier.errors import Conflict


def delete(campaign: Campaign, by: By) -> None:
    """Delete a draft, with an entry in the audit log. Raises Conflict for a campaign in any other state."""
    with transaction.atomic():
        held = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
        if why := why_not(held):
            raise Conflict(why, code="not_deletable")
        record_control(held, "delete", by)
        held.delete()


def why_not(campaign: Campaign) -> str:
    """Why this campaign cannot be deleted, and what to do about it; empty if it can."""
    if campaign.state != State.DRAFT or campaign.launched_at is not None:
        return (
            f"Only a draft can be deleted; this campaign is {campaign.state}. An armed one is a draft again after "
            "“Back to draft”; what was launched stays for its account."
        )
    if Shard.objects.filter(campaign=campaign).exists() or AudienceRange.objects.filter(campaign=campaign).exists():
        return "The messages of its last arming are still being removed; try again in a moment."
    return ""
