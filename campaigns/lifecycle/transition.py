"""What a person or a tenant's server does to a launched campaign: a move that happens once, is written into the audit
log with who did it, and says clearly why it cannot be."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from campaigns.models import Campaign
from campaigns.states import State, move
from notifier.errors import Conflict
from tenants import audit
from tenants.models import User


@dataclass(frozen=True)
class By:
    """Who did it. Neither of both: the operator at the command line, or the campaign itself."""

    user: User | None = None
    api_key_id: uuid.UUID | None = None


@dataclass(frozen=True)
class Control:
    """One control."""

    name: str
    to: State
    allowed_from: tuple[State, ...]
    #: where a repeat finds the campaign: it is answered and changes nothing
    done: frozenset[State]
    #: what a campaign in any other state is told
    code: str
    cannot: str


def transition(transition: Control, campaign: Campaign, by: By, **columns: Any) -> bool:
    """True for the one caller that took the step, False for a repeat. Raises Conflict."""
    with transaction.atomic():
        if move(campaign.pk, transition.to, allowed_from=transition.allowed_from, **columns):
            record_control(campaign, transition.name, by)
            return True
    campaign.refresh_from_db(fields=["state"])
    if campaign.state in transition.done:
        return False
    raise Conflict(f"A campaign that is {campaign.state} {transition.cannot}.", code=transition.code)


def record_control(campaign: Campaign, name: str, by: By, **detail: Any) -> None:
    """Into the audit log, in the caller's transaction."""
    audit.record(campaign.tenant_id, f"campaign.{name}", campaign.pk, detail, user=by.user, api_key_id=by.api_key_id)
