"""A transition: a move that an actor asks for. It happens once, leaves one entry in the audit log, and says why it is
refused."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.db.transaction import atomic

from campaigns.audit import Act, Actor, record
from campaigns.models import Campaign
from campaigns.states import State, move
from notifier.errors import Conflict, NotFound


@dataclass(frozen=True)
class Transition:
    """What a control does to the state of a campaign."""

    act: Act
    to: State
    allowed_from: tuple[State, ...]
    #: states in which a repeat finds the campaign: a repeat changes nothing and is no error
    repeated_in: frozenset[State]
    #: code and text of the Conflict in any other state: "A campaign that is <state> <refusal>."
    code: str
    refusal: str


def apply(transition: Transition, campaign: Campaign, by: Actor, **columns: Any) -> bool:
    """Move `campaign` and set `columns` with the move. True for the one caller that moved it, False for a repeat.
    Raises Conflict."""
    with atomic():
        if move(campaign.pk, transition.to, allowed_from=transition.allowed_from, **columns):
            record(campaign, transition.act, by)
            return True
    campaign.refresh_from_db(fields=["state"])
    if campaign.state in transition.repeated_in:
        return False
    raise Conflict(f"A campaign that is {campaign.state} {transition.refusal}.", code=transition.code)


def find_campaign(tenant_id: uuid.UUID, campaign_id: uuid.UUID) -> Campaign:
    """The tenant's campaign. Raises NotFound."""
    campaign = Campaign.objects.filter(tenant_id=tenant_id, pk=campaign_id).first()
    if campaign is None:
        raise NotFound("There is no such campaign.", field="id")
    return campaign
