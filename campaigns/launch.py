"""GO: one conditional UPDATE and one message. Whoever presses second, on any door, changes nothing."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.db.models.functions import Now

from campaigns.models import Campaign
from campaigns.states import State, move
from notifier.errors import Conflict, NotFound
from notifier.tasks import post
from tenants import audit
from tenants.models import User


def go(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, user: User | None = None, api_key_id: uuid.UUID | None = None
) -> bool:
    """True for the one caller that launched, False for a repeat. Raises NotFound, or Conflict before it is armed."""
    campaign = find(tenant_id, campaign_id)
    with transaction.atomic():
        if not move(campaign.pk, State.RUNNING, allowed_from=[State.ARMED], launched_at=Now()):
            campaign.refresh_from_db(fields=["state", "launched_at"])
            if campaign.launched_at is not None:
                return False
            raise Conflict(f"GO needs an armed campaign; this one is {campaign.state}.", code="not_armed")
        audit.record(
            tenant_id,
            "campaign.go",
            str(campaign.pk),
            {"audience": campaign.audience_size, "excluded": campaign.excluded},
            user=user,
            api_key_id=api_key_id,
        )
        transaction.on_commit(lambda: post("campaigns.dispatch", str(campaign.pk)))
    return True


def find(tenant_id: uuid.UUID, campaign_id: uuid.UUID) -> Campaign:
    """The tenant's campaign; raises NotFound."""
    campaign = Campaign.objects.filter(tenant_id=tenant_id, pk=campaign_id).first()
    if campaign is None:
        raise NotFound("There is no such campaign.", field="id")
    return campaign
