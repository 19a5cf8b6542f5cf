"""Create, change and delete audiences. The API and the admin call the same functions."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q

from campaigns.arming import return_to_draft
from campaigns.audience import ListReport, check_filter
from campaigns.audience.lists import copy_members
from campaigns.audience.loading import check_loaded
from campaigns.audience.references import check_references, segments_with_list
from campaigns.audience.topics import check_topic
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.edit.fields import MAX_NAME, check_name
from campaigns.models import Audience, AudienceRange, Campaign
from campaigns.states import State
from notifier.errors import Conflict, InvalidInput
from notifier.values import locales
from tenants.access import allow_slow_statements
from tenants.models import Tenant
from tenants.people import fields

#: campaigns that a page names of those that use an audience
MAX_USES = 50
#: states after GO in which the rest of an A/B test may wait for its winner
_RUNS = (State.RUNNING, State.PAUSED)


@dataclass(frozen=True)
class Definition:
    """What says who is in an audience, as a caller gave it. `topic`, `locale` and `app` are for the source `topic`;
    `file`: a file was given as well."""

    source: str
    filter: Any = None
    topic: Any = ""
    locale: str = ""
    app: str = ""
    file: bool = False


def create(tenant: Tenant, name: Any, definition: Definition, *, by: Actor = OPERATOR) -> Audience:
    """A segment with its filter, a list without members, all recipients, or a topic. Raises InvalidInput."""
    name = check_name(name)
    columns = check_definition(definition, tenant.pk)
    try:
        with transaction.atomic():
            audience = Audience.objects.create(tenant=tenant, name=name, source=definition.source, **columns)
            record(audience, Act.CREATE, by)
    except IntegrityError:
        raise InvalidInput(f"There is an audience {name!r} already.", field="name", code="name_taken") from None
    return audience


def save(audience: Audience, *, by: Actor = OPERATOR) -> None:
    """Save a changed name, filter or topic. A change of what says who is in the audience returns campaigns that are
    armed with the old audience to draft. Raises Conflict as `replace_members` does."""
    columns = check_definition(definition_of(audience), audience.tenant_id)
    with transaction.atomic():
        before = Audience.objects.select_for_update().get(pk=audience.pk)
        for column, value in columns.items():
            setattr(audience, column, value)
        changed = [column for column in (*columns, "name") if getattr(before, column) != getattr(audience, column)]
        if set(changed) - {"name"}:
            for campaign in _armed_with(audience):
                return_to_draft(campaign)
            audience.people = None
        audience.save(update_fields=["name", "people", *columns])
        record(audience, Act.CHANGE, by, fields=sorted(changed))


def definition_of(audience: Audience) -> Definition:
    """What the audience says about itself."""
    return Definition(audience.source, audience.filter, audience.topic, audience.locale, audience.app)


def copy(audience: Audience, *, by: Actor = OPERATOR) -> Audience:
    """A new audience with the same definition and, of a list, the same ids. Raises Conflict while the list is being
    loaded."""
    check_loaded(audience.pk, "copy it")
    name = free_name(audience.tenant, _copy_name(audience.name))
    copied = create(audience.tenant, name, definition_of(audience), by=by)
    if audience.source == Audience.Source.LIST:
        with transaction.atomic():
            allow_slow_statements()
            copied.size = copy_members(audience, copied)
            copied.save(update_fields=["size"])
            record(copied, Act.FILL, by, copied=str(audience.pk), stored=copied.size)
    return copied


def _copy_name(name: str) -> str:
    return name if name.endswith(" (copy)") else f"{name[: MAX_NAME - 7]} (copy)"


def free_name(tenant: Tenant, name: str) -> str:
    """The name, or the name with a number, that no audience of the tenant has."""
    name = name[:MAX_NAME]
    taken = set(
        Audience.objects.filter(tenant=tenant, name__startswith=name[: MAX_NAME - 10]).values_list("name", flat=True)
    )
    numbered = (f"{name[: MAX_NAME - 10]} {number}" for number in count(2))
    return next(candidate for candidate in chain([name], numbered) if candidate not in taken)


@dataclass(frozen=True)
class Uses:
    """What uses an audience: campaigns, newest first, and segments whose filter names the list."""

    campaigns: Sequence[Campaign]
    segments: Sequence[Audience]

    def describe(self) -> str:
        """ "the campaign Spring and 2 segments"; empty when nothing uses it."""
        parts = []
        if self.campaigns:
            others = len(self.campaigns) - 1
            parts.append(f"the campaign “{self.campaigns[0].name}”" + (f" and {others} more" if others else ""))
        if self.segments:
            parts.append(f"the segment “{self.segments[0].name}”" + ("" if len(self.segments) == 1 else " and others"))
        return ", ".join(parts)


def uses_of(audience: Audience) -> Uses:
    """What uses the audience."""
    campaigns = Campaign.objects.filter(tenant_id=audience.tenant_id, audience=audience).order_by("-id")
    is_list = audience.source == Audience.Source.LIST
    return Uses(list(campaigns[:MAX_USES]), segments_with_list(audience) if is_list else [])


def delete(audience: Audience, *, by: Actor = OPERATOR) -> None:
    """Delete an audience that nothing uses, with its members. Raises Conflict for one that is used."""
    with transaction.atomic():
        Audience.objects.select_for_update().get(pk=audience.pk)
        if used_by := uses_of(audience).describe():
            raise Conflict(f"The audience is used by {used_by}, and cannot be deleted.", code="audience_in_use")
        record(audience, Act.DELETE, by)
        audience.delete()


def check_definition(definition: Definition, tenant_id: uuid.UUID) -> dict[str, Any]:
    """The columns filter, topic, locale and app. Raises InvalidInput unless exactly one thing says who is in the
    audience: a filter, a file, a topic, or the source "everybody". A filter may name what the tenant has."""
    source = definition.source
    if source not in Audience.Source.values:
        raise InvalidInput(f"Must be one of: {', '.join(Audience.Source.values)}.", field="source")
    if definition.file and source != Audience.Source.LIST:
        raise InvalidInput(
            f'A file ("upload") was given, and the source is "{source}", which would ignore it. Choose the source '
            '"list", or leave the file out.',
            field="upload",
        )
    if source == Audience.Source.SEGMENT:
        check_references(tenant_id, check_filter(definition.filter))
    elif definition.filter:
        raise InvalidInput(
            f'A filter was given, and the source is "{source}", which would ignore it. Choose the source "segment", or '
            "leave the filter empty.",
            field="filter",
        )
    return {"filter": definition.filter or [], **_topic_columns(definition)}


def _topic_columns(definition: Definition) -> dict[str, str]:
    given = {name: getattr(definition, name) or "" for name in ("topic", "locale", "app")}
    if definition.source == Audience.Source.TOPIC:
        locale = locales.canonical(given["locale"]) if given["locale"] else ""
        return {"topic": check_topic(given["topic"]), "locale": locale, "app": fields.app(given["app"])}
    for name, value in given.items():
        if value:
            raise InvalidInput(
                f'"{name}" was given, and the source is "{definition.source}", which would ignore it. Choose the '
                f'source "topic", or leave "{name}" out.',
                field=name,
            )
    return given


def replace_members(audience: Audience, fill: Callable[[Audience], ListReport]) -> ListReport:
    """Run `fill` on a list. Campaigns that are armed with the old members return to draft. Raises Conflict while a
    campaign with this audience is being armed or launched, or keeps the rest of an A/B test."""
    with transaction.atomic():
        armed = _armed_with(audience)
        report = fill(audience)
        Audience.objects.filter(pk=audience.pk).update(list_version=F("list_version") + 1)
        for campaign in armed:
            return_to_draft(campaign)
    return report


def check_replaceable(audience: Audience) -> None:
    """Raise Conflict when `replace_members` would."""
    with transaction.atomic():
        _armed_with(audience)


def _armed_with(audience: Audience) -> list[Campaign]:
    """Armed campaigns of this audience, locked, so that none is launched to other people than preflight showed. Raises
    Conflict for a campaign that still reads the audience, and cannot return to draft."""
    campaigns = _lock_readers(audience)
    if any(campaign.state == State.ARMING for campaign in campaigns):
        raise Conflict(
            "A campaign is being armed with this audience; try again when it is armed.", code="audience_in_use"
        )
    # it could still be taken back, and would then be armed with the old members
    if any(campaign.state == State.LAUNCHING for campaign in campaigns):
        raise Conflict("A campaign with this audience is about to leave; take it back first.", code="audience_in_use")
    # the rest would go to people whom no one saw at GO; new members of a list lie in none of its ranges
    if any(campaign.state in _RUNS for campaign in campaigns):
        raise Conflict(
            "The rest of the A/B test of a campaign with this audience has not left yet; choose the winner and try "
            "again when the rest is armed, or stop the campaign first.",
            code="audience_in_use",
        )
    return [campaign for campaign in campaigns if campaign.audience_id == audience.pk]


def _lock_readers(audience: Audience) -> list[Campaign]:
    """Lock the campaigns that a change of this audience touches: those of the audience itself, and those that keep the
    rest of an A/B test for a segment that names this list."""
    keeps_rest = Exists(AudienceRange.objects.filter(campaign=OuterRef("pk")))
    not_left = Q(state__in=[State.ARMING, State.ARMED, State.LAUNCHING]) | Q(keeps_rest, state__in=_RUNS)
    readers = Q(audience=audience) & not_left
    if audience.source == Audience.Source.LIST:
        # an armed one is locked, so that it is not launched meanwhile
        states = [State.ARMED, State.LAUNCHING, *_RUNS]
        readers |= Q(keeps_rest, audience__in=segments_with_list(audience), state__in=states)
    return list(Campaign.objects.select_for_update(of=("self",)).filter(readers).order_by("pk"))
