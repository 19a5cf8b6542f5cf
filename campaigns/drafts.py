"""Delete a draft. What was launched stays: it is the account of messages that people got."""

from __future__ import annotations

from django.db import transaction

from campaigns.models import Campaign, Shard, Slice
from campaigns.states import State
from campaigns.steps import By, note
from notifier.errors import Conflict


def delete(campaign: Campaign, by: By) -> None:
    """Delete a draft, with an entry in the audit log. Raises Conflict for a campaign in any other state."""
    with transaction.atomic():
        held = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
        if held.state != State.DRAFT or held.launched_at is not None:
            raise Conflict(
                f"Only a draft can be deleted; this campaign is {held.state}. An armed one is a draft again after "
                "Disarm; what was launched stays for its account.",
                code="not_deletable",
            )
        if Shard.objects.filter(campaign=held).exists() or Slice.objects.filter(campaign=held).exists():
            raise Conflict(
                "The messages of its last arming are still being removed; try again in a moment.",
                code="not_deletable",
            )
        note(held, "delete", by)
        held.delete()
