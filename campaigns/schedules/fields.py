"""The fields of a schedule: what a caller sent becomes values of columns, or an error that names the field."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from campaigns.edit import fields
from campaigns.models import Campaign, CatchUp
from campaigns.schedules.rules.cron import MAX_LENGTH as MAX_CRON
from campaigns.schedules.rules.rrule import MAX_LENGTH as MAX_RRULE
from campaigns.schedules.rules.timing import as_text
from notifier.errors import InvalidInput
from notifier.values import timestamps, zones
from notifier.values.text import check_storable
from notifier.values.trim import trimmed
from notifier.vocabulary.status import Mode
from tenants.models import Tenant

#: a week
MAX_NOT_AFTER = 7 * 24 * 60
#: what a schedule may say about its notification
NOTIFICATION_FIELDS = ("recipient", "template", "category", "channels", "data", "group_key")
WALL_CLOCK = "Must be a date and time of the schedule's own clock such as 2030-01-31T09:00"


def columns_of(tenant: Tenant, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Columns for the fields in `raw`. Raises InvalidInput naming the field."""
    if unknown := sorted(set(raw) - set(_CHECKS)):
        raise InvalidInput("There is no such field.", field=unknown[0])
    return {name: _CHECKS[name](tenant, value) for name, value in raw.items()}


def _text(name: str, longest: int) -> Callable[[Tenant, Any], str]:
    def check(tenant: Tenant, raw: Any) -> str:
        if raw is None:
            return ""
        if not isinstance(raw, str) or len(raw) > longest:
            raise InvalidInput(f"Must be a text of at most {longest} characters.", field=name)
        check_storable(raw, name)
        return trimmed(raw)

    return check


def _clock(name: str) -> Callable[[Tenant, Any], str]:
    def check(tenant: Tenant, raw: Any) -> str:
        if raw is None or raw == "":
            return ""
        moment = raw if isinstance(raw, datetime) else timestamps.parse(raw)
        if moment is None or not 2000 <= moment.year <= 9000:
            raise InvalidInput(f"{WALL_CLOCK}.", field=name)
        if moment.tzinfo is not None:
            raise InvalidInput(f"{WALL_CLOCK}, without an offset.", field=name, code="has_offset")
        return as_text(moment)

    return check


def _timezone(tenant: Tenant, raw: Any) -> str:
    """The tenant's zone when none is named; a later change of the tenant's zone moves no schedule."""
    if raw is None or raw == "":
        return str(tenant.timezone)
    if not isinstance(raw, str):
        raise InvalidInput("Must be a text such as Europe/Berlin.", field="timezone")
    return zones.canonical(raw)


def _boolean(tenant: Tenant, raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise InvalidInput("Must be true or false.", field="local")
    return raw


def _catch_up(tenant: Tenant, raw: Any) -> str:
    if raw not in CatchUp.values:
        raise InvalidInput(f"Must be one of: {', '.join(CatchUp.values)}.", field="catch_up")
    return str(raw)


def _not_after(tenant: Tenant, raw: Any) -> int | None:
    return None if raw is None else fields.check_whole("not_after_minutes", 1, MAX_NOT_AFTER, raw)


def _campaign(tenant: Tenant, raw: Any) -> Campaign | None:
    if raw is None:
        return None
    try:
        rows = Campaign.objects.select_related("audience", "template__category")
        campaign = rows.get(tenant=tenant, pk=uuid.UUID(str(raw)))
    except (ValueError, Campaign.DoesNotExist):
        raise InvalidInput(f"There is no campaign {raw!r}.", field="campaign", code="unknown_campaign") from None
    check_prototype(campaign)
    return campaign


def check_prototype(campaign: Campaign) -> None:
    """Raise InvalidInput for a campaign of which no copy could be launched without a person."""
    if campaign.silent:
        raise InvalidInput("This is a silent run; choose the campaign itself.", field="campaign")
    if campaign.audience is None:
        raise InvalidInput("This campaign has no audience yet.", field="campaign", code="no_audience")
    if campaign.audience.is_topic:
        raise InvalidInput(
            "A campaign to a topic needs a person at GO, because no opt-out holds for a topic.",
            field="campaign",
            code="not_acknowledged",
        )


def _notification(tenant: Tenant, raw: Any) -> dict[str, Any]:
    if raw is None or raw == {}:
        return {}
    if not isinstance(raw, dict):
        raise InvalidInput('Must be an object with "recipient" and "template".', field="notification")
    if unknown := sorted(set(raw) - set(NOTIFICATION_FIELDS)):
        raise InvalidInput(
            f"There is no such field; known: {', '.join(NOTIFICATION_FIELDS)}.",
            field=f"notification.{unknown[0]}"[:100],
        )
    for name, longest in (("recipient", 128), ("template", 64), ("category", 64), ("group_key", 64)):
        value = raw.get(name, "")
        if not isinstance(value, str) or len(value) > longest:
            raise InvalidInput(f"Must be a text of at most {longest} characters.", field=f"notification.{name}")
        check_storable(value, f"notification.{name}")
    for name in ("recipient", "template"):
        if not raw.get(name):
            raise InvalidInput("This field is required.", field=f"notification.{name}", code="required")
    _check_channels(raw.get("channels"))
    return {**raw, "recipient": trimmed(raw["recipient"]), "data": fields.check_data(raw.get("data", {}))}


def _check_channels(names: Any) -> None:
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if names is not None and not (is_list and names):
        raise InvalidInput('Must be a list such as ["push"]; leave it out for all.', field="notification.channels")


def check_mode(mode: str, campaign: Campaign | None) -> None:
    """Raise InvalidInput when a test key would schedule a live campaign."""
    if mode == Mode.TEST and campaign is not None and campaign.mode != Mode.TEST:
        raise InvalidInput("A test key cannot schedule a live campaign.", field="campaign", code="live_campaign")


def now_on(zone_name: str, now: datetime) -> str:
    """The wall clock of a zone, for a rule that says no start."""
    return as_text(now.astimezone(zones.zone(zone_name)))


def utc_now() -> datetime:
    return datetime.now(UTC)


_CHECKS: Mapping[str, Callable[[Tenant, Any], Any]] = {
    "name": lambda tenant, raw: fields.check_name(raw),
    "campaign": _campaign,
    "notification": _notification,
    "at": _clock("at"),
    "rrule": _text("rrule", MAX_RRULE),
    "cron": _text("cron", MAX_CRON),
    "starts": _clock("starts"),
    "ends": _clock("ends"),
    "timezone": _timezone,
    "local": _boolean,
    "catch_up": _catch_up,
    "not_after_minutes": _not_after,
}
