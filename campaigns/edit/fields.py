"""The fields of a campaign: what a caller sent becomes values of columns, or an error that names the field."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from campaigns.audience import topics
from campaigns.edit import times
from campaigns.models import Audience, Campaign
from campaigns.storable_json import check_json
from notifier.delivery.content import marketing, templates
from notifier.delivery.content.liquid.text import check_names
from notifier.errors import InvalidInput
from notifier.models import Template, TemplateVersion
from notifier.values.text import check_storable, is_storable
from notifier.values.trim import trimmed
from notifier.vocabulary.status import Mode
from tenants.categories import check_not_archived
from tenants.models import Tenant

MAX_NAME = 200
#: rendering copies the variables for every recipient's text
MAX_DATA_BYTES = 64 * 1024
#: seconds that a GO can be held
MAX_HOLD = 3_600


def columns_of(tenant: Tenant, raw: Mapping[str, Any], campaign: Campaign | None) -> dict[str, Any]:
    """Columns for the fields in `raw`; `campaign` has the fields that `raw` leaves out. Raises InvalidInput naming the
    field."""
    unknown = sorted(set(raw) - set(_CHECKS))
    if unknown:
        raise InvalidInput("There is no such field.", field=unknown[0])
    columns = {field: _CHECKS[field](tenant, raw[field]) for field in _CHECKS if field in raw}
    template = columns.get("template") or (campaign.template if campaign else None)
    if template is not None and (campaign is None or campaign.template_id != template.pk):
        check_not_archived(template.category, "template")
    if template is not None and ("template" in raw or "channels" in raw):
        names = columns["channels"] if "channels" in raw else (campaign.channels if campaign else None)
        columns["channels"] = check_channels(template, names)
        marketing.check_template(template, columns["channels"])
    audience = columns.get("audience", campaign.audience if campaign else None)
    if audience is not None and audience.is_topic:
        columns["channels"] = _channels_of_topic(columns.get("channels"), raw, campaign)
    times.check_times(columns, campaign, audience, datetime.now(UTC))
    return columns


def _channels_of_topic(checked: list[str] | None, raw: Mapping[str, Any], campaign: Campaign | None) -> list[str]:
    """The one channel of a topic. Channels that no caller named are left out by themselves."""
    names = checked if checked is not None else (campaign.channels if campaign else [])
    if topics.CHANNEL not in names:
        raise InvalidInput(
            f"A topic is reached on the channel {topics.CHANNEL} only, and the template has no content for it.",
            field="channels",
        )
    others = ", ".join(name for name in names if name != topics.CHANNEL)
    if others and (raw.get("channels") or checked is None):
        raise InvalidInput(
            f"A topic is reached on the channel {topics.CHANNEL} only; leave out: {others}.", field="channels"
        )
    return [topics.CHANNEL]


def check_channels(template: Template, names: list[str] | None) -> list[str]:
    """These channels in the order of the template; all channels of the template for None. Raises InvalidInput."""
    version = TemplateVersion.objects.filter(template=template).order_by("-number").first()
    if version is None:
        raise InvalidInput(f"The template {template.key!r} has no published version.", field="template")
    available = templates.compiled(version.id).channels
    if names is None and template.route:
        # at once, all channels would reach people whom the route would have spared
        raise InvalidInput(
            "The template has a fallback route, which campaigns do not follow: name the channels of the campaign.",
            field="channels",
            code="no_route",
        )
    if names is None:
        return list(available)
    if not names:
        raise InvalidInput("Must name at least one channel.", field="channels", code="empty")
    if missing := ", ".join(repr(name) for name in names if name not in available):
        raise InvalidInput(
            f"The template has no content for {missing}; it has content for: {', '.join(available)}.", field="channels"
        )
    return [name for name in available if name in names]


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
        raise InvalidInput(f"Must have at most {MAX_DATA_BYTES} bytes.", field="data")
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
    is_key = isinstance(raw, str) and is_storable(raw)
    template = Template.objects.filter(tenant=tenant, key=raw).first() if is_key else None
    if template is None:
        raise InvalidInput(f"There is no template {raw!r}.", field="template", code="unknown_template")
    return template


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
    "launch_at": lambda tenant, raw: times.read_launch_at(raw),
    "launch_rollout": lambda tenant, raw: times.read_launch_rollout(raw),
    "local_time": lambda tenant, raw: times.read_local_time(raw),
    "passed": lambda tenant, raw: times.read_passed(raw),
    "mode": lambda tenant, raw: check_mode_name(raw),
    "hold_seconds": lambda tenant, raw: check_whole("hold_seconds", 0, MAX_HOLD, raw),
    "rate_per_s": lambda tenant, raw: check_rate(raw),
    # more than half of the messages is no canary
    "canary_percent": lambda tenant, raw: check_whole("canary_percent", 0, 50, raw),
    "max_error_percent": lambda tenant, raw: check_whole("max_error_percent", 1, 100, raw),
    "max_dead_percent": lambda tenant, raw: check_whole("max_dead_percent", 1, 100, raw),
}
