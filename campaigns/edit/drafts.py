"""Delete a draft. A launched campaign stays as the record of its messages."""

from __future__ import annotations

from django.db import transaction

from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.models import AudienceRange, Campaign, Shard
from campaigns.states import State
from notifier.errors import Conflict


def delete(campaign: Campaign, *, by: Actor = OPERATOR) -> None:
    """Delete a draft. Raises Conflict for a campaign in any other state."""
    with transaction.atomic():
        locked = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
        if why := reason_to_keep(locked):
            raise Conflict(why, code="not_deletable")
        record(locked, Act.DELETE, by)
        locked.delete()


def reason_to_keep(campaign: Campaign) -> str:
    """Why this campaign cannot be deleted, and what to do about it; empty if it can be deleted."""
    if campaign.state != State.DRAFT or campaign.launched_at is not None:
        return (
            f"Only a draft can be deleted; this campaign is {campaign.state}. “Back to draft” makes an armed campaign "
            "a draft again; a launched campaign stays as the record of its messages."
        )
    if Shard.objects.filter(campaign=campaign).exists() or AudienceRange.objects.filter(campaign=campaign).exists():
        return "The messages of its last arming are still being removed; try again in a moment."
    return ""
