"""GO: one conditional UPDATE and one message. Whoever presses second, on any door, changes nothing."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from campaigns.lifecycle.fanout import set_off
from campaigns.lifecycle.transition import By, Control, record_control, transition
from campaigns.models import Campaign, Rollout, Shard
from campaigns.states import State, move
from notifier.errors import Conflict, InvalidInput, NotFound
from tenants.models import User


def go(
    tenant_id: uuid.UUID,
    campaign_id: uuid.UUID,
    *,
    rollout: str = Rollout.ALL,
    user: User | None = None,
    api_key_id: uuid.UUID | None = None,
) -> bool:
    """True for the one caller that launched, False for a repeat. Raises NotFound, or Conflict before it is armed.

    With `hold_seconds` it is launching until they are over; until then it can be taken back."""
    campaign = find(tenant_id, campaign_id)
    with transaction.atomic():
        if not _launch(campaign, rollout):
            campaign.refresh_from_db(fields=["state", "launched_at"])
            if campaign.launched_at is not None or campaign.state == State.LAUNCHING:
                return False
            raise Conflict(f"GO needs an armed campaign; this one is {campaign.state}.", code="not_armed")
        _check_canary(campaign, rollout)
        _check_not_after(campaign)
        counts = {"audience": campaign.audience_size, "excluded": campaign.excluded}
        record_control(
            campaign, "go", By(user, api_key_id), **counts, rollout=rollout, hold_seconds=campaign.hold_seconds
        )
        if not campaign.hold_seconds:
            set_off(campaign.pk)
    return True


def _launch(campaign: Campaign, rollout: str) -> bool:
    if rollout not in Rollout.values:
        raise InvalidInput(f"Must be one of: {', '.join(Rollout.values)}.", field="rollout", code="invalid_choice")
    columns: dict[str, Any] = {"rollout": rollout, "canary_passed_at": None, "halted": "", "halted_channels": {}}
    if not campaign.hold_seconds:
        return move(campaign.pk, State.RUNNING, allowed_from=[State.ARMED], launched_at=Now(), **columns)
    held = Now() + timedelta(seconds=campaign.hold_seconds)
    return move(campaign.pk, State.LAUNCHING, allowed_from=[State.ARMED], hold_until=held, **columns)


def _check_canary(campaign: Campaign, rollout: str) -> None:
    """Whoever asks for a canary must not get everything at once. After the move, which an error rolls back: shards
    change only while nobody has launched."""
    if rollout != Rollout.ALL and not Shard.objects.filter(campaign=campaign, canary=True).exists():
        raise Conflict(
            f"There is no canary: {campaign.canary_percent} % of this campaign is not a single message.",
            code="no_canary",
        )


def _check_not_after(campaign: Campaign) -> None:
    """After the move as well: an answer to a repeated GO does not depend on the time."""
    leaves = datetime.now(UTC) + timedelta(seconds=campaign.hold_seconds)
    if campaign.not_after is not None and campaign.not_after <= leaves:
        latest = campaign.not_after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise Conflict(f"Nothing of it could leave: not_after is {latest}. Set a later one, or none.", code="too_late")


_TAKE_BACK = Control(
    name="take_back",
    to=State.ARMED,
    allowed_from=(State.LAUNCHING,),
    done=frozenset({State.ARMED}),
    code="not_launching",
    cannot="cannot be taken back; what runs can be paused or stopped",
)


def take_back(
    tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, user: User | None = None, api_key_id: uuid.UUID | None = None
) -> bool:
    """Undo a GO within its hold: True for the one caller that did, False when it is armed already. It is either taken
    back or launched. Raises NotFound, or Conflict when it has left."""
    return transition(_TAKE_BACK, find(tenant_id, campaign_id), By(user, api_key_id), hold_until=None)


def launch_held() -> None:
    """Launch what was not taken back in time; the sweep's part."""
    over = Q(hold_until__lte=Now())
    for campaign in Campaign.objects.filter(over, state=State.LAUNCHING):
        with transaction.atomic():
            # the hold is looked at again: taken back and launched anew in between, it has begun anew
            if move(campaign.pk, State.RUNNING, allowed_from=[State.LAUNCHING], where=over, launched_at=Now()):
                record_control(campaign, "launched", By())
                set_off(campaign.pk)


def find(tenant_id: uuid.UUID, campaign_id: uuid.UUID) -> Campaign:
    """The tenant's campaign; raises NotFound."""
    campaign = Campaign.objects.filter(tenant_id=tenant_id, pk=campaign_id).first()
    if campaign is None:
        raise NotFound("There is no such campaign.", field="id")
    return campaign
