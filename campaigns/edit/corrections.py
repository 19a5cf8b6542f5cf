"""Correct those who got it: a draft that goes to exactly the addresses that got a campaign's messages."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from campaigns.arming.planning.corrections import REPLACING
from campaigns.audience import topic_of
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.edit.audiences import free_name
from campaigns.edit.fields import MAX_NAME
from campaigns.models import Audience, Campaign
from campaigns.states import ENDED
from notifier.errors import Conflict, InvalidInput

#: what a correction has in common with the campaign that it corrects
_SAME = (
    "template", "data", "mode", "hold_seconds", "rate_per_s", "canary_percent", "max_error_percent", "max_dead_percent",
)  # fmt: skip


def check_correctable(campaign: Campaign) -> None:
    """Raise Conflict unless the campaign's messages may be corrected."""
    if campaign.state not in ENDED or campaign.launched_at is None:
        raise Conflict("Stop the campaign first, or let it finish: then correct it.", code="not_ended")
    if campaign.silent:
        raise Conflict("A silent run reached nobody: there is nothing to correct.", code="not_correctable")
    if topic_of(campaign):
        raise Conflict("Nobody knows which devices a topic reached. Copy the campaign.", code="not_correctable")
    if campaign.report_final_at is not None:
        raise Conflict(
            "Its messages are older than the tenant keeps them: nobody knows any more who got them. Copy the campaign.",
            code="not_correctable",
        )
    if campaign.accounted_at is None:
        raise Conflict("The outcomes are still being written down; try again in a minute.", code="not_accounted")


def correct(campaign: Campaign, channels: Sequence[str] | None = None, *, by: Actor = OPERATOR) -> Campaign:
    """A draft to the addresses that got the campaign's messages on these channels: by default those whose later message
    replaces the earlier one, else all. Raises Conflict, or InvalidInput for `channels`."""
    check_correctable(campaign)
    names = list(channels) if channels is not None else default_channels(campaign)
    if not names:
        raise InvalidInput("Must name at least one channel.", field="channels", code="empty")
    if unknown := [name for name in names if name not in campaign.channels]:
        used = ", ".join(campaign.channels)
        raise InvalidInput(f"The campaign did not use {unknown[0]!r}; it used: {used}.", field="channels")
    with transaction.atomic():
        # the last count of an old campaign locks the row, too, and ends it unless it sees this correction
        check_correctable(Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk))
        audience = Audience.objects.create(
            tenant_id=campaign.tenant_id,
            # campaigns may share a name, and one may be corrected twice
            name=free_name(campaign.tenant, f"Got {campaign.name}"[:MAX_NAME]),
            source=Audience.Source.SEGMENT,
            filter=[{"field": "got_campaign", "op": "eq", "value": str(campaign.pk)}],
        )
        record(audience, Act.CREATE, by)
        draft = Campaign.objects.create(
            tenant_id=campaign.tenant_id,
            name=f"{campaign.name[: MAX_NAME - 13]} (correction)",
            created_by=by.user,
            audience=audience,
            channels=[name for name in campaign.channels if name in names],
            corrects=campaign,
            **{name: getattr(campaign, name) for name in _SAME},
        )
        record(draft, Act.CORRECT, by, corrects=str(campaign.pk))
    return draft


def default_channels(campaign: Campaign) -> list[str]:
    """The channels whose messages can be replaced; all of them when none can."""
    return [name for name in campaign.channels if name in REPLACING] or list(campaign.channels)
