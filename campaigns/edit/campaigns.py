"""Create and change campaigns and audiences. The rules are here once, for the API and the admin."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import IntegrityError, transaction

from campaigns import audience as audiences
from campaigns.arming import disarm
from campaigns.audience import ListReport
from campaigns.models import Audience, Campaign
from campaigns.plain import check_json
from campaigns.states import ENDED, LAUNCHED, State
from notifier.delivery.content import templates
from notifier.delivery.content.liquid import check_names
from notifier.errors import Conflict, InvalidInput
from notifier.models import Template, TemplateVersion
from notifier.values.text import check_storable, is_storable
from notifier.values.trim import trimmed
from notifier.vocabulary.status import Mode
from tenants.categories import check_not_archived
from tenants.models import Tenant, User

MAX_NAME = 200
#: variables are copied into what every recipient's text is rendered with
MAX_DATA_BYTES = 64 * 1024
#: seconds that a GO can be held
MAX_HOLD = 3_600
#: what may be changed until a campaign has ended, while it runs, too: a shard that begins takes the new value
LIVE_SETTINGS = frozenset({"rate_per_s", "max_error_percent", "max_dead_percent"})
SETTINGS = LIVE_SETTINGS | {"hold_seconds"}
#: what is not in the messages: a change needs no new arming
NOT_IN_MESSAGES = SETTINGS | {"name"}
#: what a test send shows: after a change of it, nobody has seen the campaign yet
SHOWN = frozenset({"template", "channels", "data"})


def create(tenant: Tenant, raw: Mapping[str, Any], *, mode: str = Mode.LIVE, user: User | None = None) -> Campaign:
    """A draft from what was asked for: name, template (key), audience (id), channels, data, not_after, and how it
    leaves: hold_seconds, rate_per_s, canary_percent, max_error_percent, max_dead_percent."""
    for field in ("name", "template"):
        if not raw.get(field):
            raise InvalidInput("This field is required.", field=field)
    wanted = {"channels": None, "data": {}, **raw}
    columns = {"mode": mode, **checked(tenant, wanted, None)}
    return Campaign.objects.create(tenant=tenant, created_by=user, **columns)


def update(campaign: Campaign, raw: Mapping[str, Any]) -> Campaign:
    """Change what `raw` names. What is in the messages returns an armed campaign to draft; after GO it raises Conflict
    for all but the LIVE_SETTINGS."""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=campaign.pk)
        if not raw.keys() <= LIVE_SETTINGS or campaign.state in ENDED:
            check_editable(campaign)
        columns = checked(campaign.tenant, raw, campaign)
        changed = {name: value for name, value in columns.items() if getattr(campaign, name) != value}
        if changed.keys() & SHOWN:
            changed |= {"tested_at": None, "tested_version": None}
        if not changed.keys() <= NOT_IN_MESSAGES:
            disarm(campaign)
        if changed:
            Campaign.objects.filter(pk=campaign.pk).update(**changed)
    return Campaign.objects.select_related("template", "audience", "tenant").get(pk=campaign.pk)


def copy(campaign: Campaign, user: User | None = None) -> Campaign:
    """Same again: a draft with the same content and audience. What was launched is never edited."""
    content = ("template", "audience", "channels", "data", "mode")
    same = {name: getattr(campaign, name) for name in (*content, *sorted(SETTINGS), "canary_percent")}
    name = f"{campaign.name[: MAX_NAME - 7]} (copy)"
    return Campaign.objects.create(tenant_id=campaign.tenant_id, name=name, created_by=user, **same)


def check_editable(campaign: Campaign) -> None:
    """Raise Conflict unless the campaign may still change."""
    if campaign.launched_at is not None:
        raise Conflict("This campaign was launched and cannot be edited any more; copy it.", code="already_launched")
    if campaign.state == State.LAUNCHING:
        raise Conflict("This campaign is about to leave; take it back to edit it.", code="not_editable")
    if campaign.state in LAUNCHED:
        raise Conflict(
            f"This campaign is {campaign.state} and cannot be edited any more; copy it.", code="not_editable"
        )


def check_mode(campaign: Campaign, mode: str) -> None:
    """Raise Conflict when a test key would touch what reaches people."""
    if mode == Mode.TEST and campaign.mode != Mode.TEST:
        raise Conflict("A test key cannot change or launch a live campaign.", code="live_campaign")


# ---- the fields --------------------------------------------------------------------------------------------------


def checked(tenant: Tenant, raw: Mapping[str, Any], campaign: Campaign | None) -> dict[str, Any]:
    """Columns for what `raw` names; `campaign` gives what it leaves out. Raises InvalidInput naming the field."""
    unknown = sorted(set(raw) - set(_CHECKS))
    if unknown:
        raise InvalidInput("There is no such field.", field=unknown[0])
    columns = {field: _CHECKS[field](tenant, raw[field]) for field in _CHECKS if field in raw}
    template = columns.get("template") or (campaign.template if campaign else None)
    if template is not None and (campaign is None or campaign.template_id != template.pk):
        check_not_archived(template.category, "template")
    if template is not None and ("template" in raw or "channels" in raw):
        wanted = columns["channels"] if "channels" in raw else (campaign.channels if campaign else None)
        columns["channels"] = check_channels(template, wanted)
    return columns


def check_channels(template: Template, wanted: list[str] | None) -> list[str]:
    """The wanted channels; all of the template's when none was named. Raises InvalidInput."""
    version = TemplateVersion.objects.filter(template=template).order_by("-number").first()
    if version is None:
        raise InvalidInput(f"The template {template.key!r} has no published version.", field="template")
    have = templates.compiled(version.id).channels
    if wanted is None:
        return list(have)
    if not wanted:
        raise InvalidInput("Must name at least one channel.", field="channels", code="empty")
    if missing := [name for name in wanted if name not in have]:
        what = f"no content for {', '.join(map(repr, missing))}"
        raise InvalidInput(f"The template has {what}; it has: {', '.join(have)}.", field="channels")
    return [name for name in have if name in wanted]


def check_name(raw: Any) -> str:
    name = trimmed(raw) if isinstance(raw, str) else ""
    if not 0 < len(name) <= MAX_NAME:
        raise InvalidInput(f"Must be a text of 1 to {MAX_NAME} characters.", field="name")
    check_storable(name, "name")
    return name


def check_mode_name(raw: Any) -> str:
    if raw not in list(Mode):
        raise InvalidInput(f"Must be one of: {', '.join(Mode)}.", field="mode")
    return str(raw)


def check_data(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise InvalidInput('Must be an object, such as {"city": "Graz"}.', field="data")
    check_json(raw, "data")
    check_names(raw)
    if len(orjson.dumps(raw, option=orjson.OPT_NON_STR_KEYS)) > MAX_DATA_BYTES:
        raise InvalidInput(f"May have {MAX_DATA_BYTES} bytes.", field="data")
    return raw


def check_not_after(raw: Any) -> datetime | None:
    if raw is None:
        return None
    if not isinstance(raw, datetime):
        raise InvalidInput("Must be a time, such as 2026-01-31T18:00:00Z.", field="not_after")
    moment = raw if raw.tzinfo else raw.replace(tzinfo=UTC)
    if moment <= datetime.now(UTC):
        raise InvalidInput("Lies in the past.", field="not_after")
    return moment


def check_rate(raw: Any) -> float | None:
    if raw is None:
        return None
    if not _is_number(raw) or not 0.01 <= raw <= 1_000_000:
        raise InvalidInput("Must be messages a second, 0.01 to 1,000,000, or null for no limit.", field="rate_per_s")
    return float(raw)


def check_whole(field: str, least: int, most: int, raw: Any) -> int:
    if not _is_number(raw) or int(raw) != raw or not least <= raw <= most:
        raise InvalidInput(f"Must be a whole number from {least} to {most:,}.", field=field)
    return int(raw)


def _is_number(raw: Any) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw)


def _template(tenant: Tenant, raw: Any) -> Template:
    found = (
        Template.objects.filter(tenant=tenant, key=raw).first() if isinstance(raw, str) and is_storable(raw) else None
    )
    if found is None:
        raise InvalidInput(f"There is no template {raw!r}.", field="template", code="unknown_template")
    return found


def _audience(tenant: Tenant, raw: Any) -> Audience | None:
    if raw is None:
        return None
    try:
        return Audience.objects.get(tenant=tenant, pk=uuid.UUID(str(raw)))
    except (ValueError, Audience.DoesNotExist):
        raise InvalidInput(f"There is no audience {raw!r}.", field="audience", code="unknown_audience") from None


def _channels(raw: Any) -> list[str] | None:
    if raw is not None and not (isinstance(raw, list | tuple) and all(isinstance(name, str) for name in raw)):
        raise InvalidInput('Must be a list, such as ["push", "in_app"].', field="channels")
    return None if raw is None else list(raw)


_CHECKS: Mapping[str, Callable[[Tenant, Any], Any]] = {
    "name": lambda tenant, raw: check_name(raw),
    "template": _template,
    "audience": _audience,
    "channels": lambda tenant, raw: _channels(raw),
    "data": lambda tenant, raw: check_data(raw),
    "not_after": lambda tenant, raw: check_not_after(raw),
    "mode": lambda tenant, raw: check_mode_name(raw),
    "hold_seconds": lambda tenant, raw: check_whole("hold_seconds", 0, MAX_HOLD, raw),
    "rate_per_s": lambda tenant, raw: check_rate(raw),
    # a canary of more than half is none
    "canary_percent": lambda tenant, raw: check_whole("canary_percent", 0, 50, raw),
    "max_error_percent": lambda tenant, raw: check_whole("max_error_percent", 1, 100, raw),
    "max_dead_percent": lambda tenant, raw: check_whole("max_dead_percent", 1, 100, raw),
}


# ---- audiences ---------------------------------------------------------------------------------------------------


def create_audience(tenant: Tenant, name: Any, source: str, filter_: Any = None) -> Audience:
    """A segment with its filter, a list that waits for its members, or everybody. Raises InvalidInput."""
    name = check_name(name)
    check_source(source, filter_)
    try:
        with transaction.atomic():
            return Audience.objects.create(tenant=tenant, name=name, source=source, filter=filter_ or [])
    except IntegrityError:
        raise InvalidInput(f"There is an audience {name!r} already.", field="name", code="name_taken") from None


def check_source(source: str, filter_: Any, *, file: bool = False) -> None:
    """Raise InvalidInput unless who is meant is said once: by a filter, by a file, or by the source "everybody"."""
    if source not in Audience.Source.values:
        raise InvalidInput(f"Must be one of: {', '.join(Audience.Source.values)}.", field="source")
    if file and source != Audience.Source.LIST:
        raise InvalidInput(
            f'A file ("upload") was given, and the source is "{source}", which would ignore it. Choose the source '
            '"list", or leave the file out.',
            field="upload",
        )
    if source == Audience.Source.SEGMENT:
        audiences.check_filter(filter_)
    elif filter_:
        raise InvalidInput(
            f'A filter was given, and the source is "{source}", which would ignore it. Choose the source "segment", or '
            "leave the filter empty.",
            field="filter",
        )


def replace_members(audience: Audience, fill: Callable[[Audience], ListReport]) -> ListReport:
    """Run `fill` on a list; what is armed with the old one returns to draft. Conflict while one is being armed."""
    with transaction.atomic():
        armed = _armed_with(audience)
        report = fill(audience)
        for campaign in armed:
            disarm(campaign)
    return report


def check_replaceable(audience: Audience) -> None:
    """Raise Conflict when `replace_members` would."""
    with transaction.atomic():
        _armed_with(audience)


def save_audience(audience: Audience) -> None:
    """Save a changed name or filter; a changed filter returns what is armed with the old one to draft."""
    check_source(audience.source, audience.filter)
    with transaction.atomic():
        before = Audience.objects.select_for_update().get(pk=audience.pk)
        if before.filter != audience.filter:
            for campaign in _armed_with(audience):
                disarm(campaign)
        audience.save(update_fields=["name", "filter"])


def _armed_with(audience: Audience) -> list[Campaign]:
    """Armed campaigns of this audience, locked: nobody must launch to people other than those they saw."""
    using = Campaign.objects.select_for_update(of=("self",)).filter(audience=audience)
    held = list(using.filter(state__in=[State.ARMING, State.ARMED, State.LAUNCHING]))
    if any(campaign.state == State.ARMING for campaign in held):
        raise Conflict("A campaign is being armed with this audience; try again when it is.", code="audience_in_use")
    # it could still be taken back, and would then be armed with the old ones
    if any(campaign.state == State.LAUNCHING for campaign in held):
        raise Conflict("A campaign with this audience is about to leave; take it back first.", code="audience_in_use")
    return held
