"""Create, change and delete audiences. The API and the admin call the same functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction

from campaigns.arming import return_to_draft
from campaigns.audience import ListReport, check_filter
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.edit.fields import check_name
from campaigns.models import Audience, Campaign
from campaigns.states import State
from notifier.errors import Conflict, InvalidInput
from tenants.models import Tenant


def create(tenant: Tenant, name: Any, source: str, filter_: Any = None, *, by: Actor = OPERATOR) -> Audience:
    """A segment with its filter, a list without members, or all recipients. Raises InvalidInput."""
    name = check_name(name)
    check_source(source, filter_)
    try:
        with transaction.atomic():
            audience = Audience.objects.create(tenant=tenant, name=name, source=source, filter=filter_ or [])
            record(audience, Act.CREATE, by)
    except IntegrityError:
        raise InvalidInput(f"There is an audience {name!r} already.", field="name", code="name_taken") from None
    return audience


def save(audience: Audience, *, by: Actor = OPERATOR) -> None:
    """Save a changed name or filter. A changed filter returns campaigns that are armed with the old one to draft."""
    check_source(audience.source, audience.filter)
    with transaction.atomic():
        before = Audience.objects.select_for_update().get(pk=audience.pk)
        changed = [name for name in ("filter", "name") if getattr(before, name) != getattr(audience, name)]
        if "filter" in changed:
            for campaign in _armed_with(audience):
                return_to_draft(campaign)
        audience.save(update_fields=["name", "filter"])
        record(audience, Act.CHANGE, by, fields=changed)


def delete(audience: Audience, *, by: Actor = OPERATOR) -> None:
    """Delete an audience that no campaign uses, with its members. Raises ProtectedError for one that is used."""
    with transaction.atomic():
        record(audience, Act.DELETE, by)
        audience.delete()


def check_source(source: str, filter_: Any, *, file: bool = False) -> None:
    """Raise InvalidInput unless exactly one thing says who is in the audience: a filter, a file, or the source
    "everybody"."""
    if source not in Audience.Source.values:
        raise InvalidInput(f"Must be one of: {', '.join(Audience.Source.values)}.", field="source")
    if file and source != Audience.Source.LIST:
        raise InvalidInput(
            f'A file ("upload") was given, and the source is "{source}", which would ignore it. Choose the source '
            '"list", or leave the file out.',
            field="upload",
        )
    if source == Audience.Source.SEGMENT:
        check_filter(filter_)
    elif filter_:
        raise InvalidInput(
            f'A filter was given, and the source is "{source}", which would ignore it. Choose the source "segment", or '
            "leave the filter empty.",
            field="filter",
        )


def replace_members(audience: Audience, fill: Callable[[Audience], ListReport]) -> ListReport:
    """Run `fill` on a list. Campaigns that are armed with the old members return to draft. Raises Conflict while a
    campaign with this audience is being armed or launched."""
    with transaction.atomic():
        armed = _armed_with(audience)
        report = fill(audience)
        for campaign in armed:
            return_to_draft(campaign)
    return report


def check_replaceable(audience: Audience) -> None:
    """Raise Conflict when `replace_members` would."""
    with transaction.atomic():
        _armed_with(audience)


def _armed_with(audience: Audience) -> list[Campaign]:
    """Armed campaigns of this audience, locked, so that none is launched to other people than preflight showed."""
    locked = Campaign.objects.select_for_update(of=("self",)).filter(audience=audience)
    campaigns = list(locked.filter(state__in=[State.ARMING, State.ARMED, State.LAUNCHING]))
    if any(campaign.state == State.ARMING for campaign in campaigns):
        raise Conflict(
            "A campaign is being armed with this audience; try again when it is armed.", code="audience_in_use"
        )
    # it could still be taken back, and would then be armed with the old members
    if any(campaign.state == State.LAUNCHING for campaign in campaigns):
        raise Conflict("A campaign with this audience is about to leave; take it back first.", code="audience_in_use")
    return campaigns
