"""The hash of a campaign's content: what an approval is about. After an edit the hash is another one, and back at the
old content it is the old one again.

The hash covers everything that decides who gets which message: the template's version and category, the audience (its
definition, and the versions of its lists), the data, the channels, the limits, and the times that are a part of the
messages. It does not cover the name, nor when a person lets the campaign leave (GO, or a planned launch).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from campaigns.audience.references import named_list_ids
from campaigns.models import Audience, Campaign, CampaignVariant, Experiment
from campaigns.states import State
from notifier.models import TemplateVersion
from tenants.models import Category

#: fields of a campaign that an edit may change without a new approval
NOT_COVERED = frozenset({"name", "launch_at", "launch_rollout"})

_SETTINGS = (
    "channels", "mode", "passed", "hold_seconds", "rate_per_s", "canary_percent", "max_error_percent",
    "max_dead_percent",
)  # fmt: skip
_AUDIENCE = ("source", "filter", "topic", "locale", "app", "list_version")
_TIMES = ("not_after", "local_time")

#: name -> what else belongs to a campaign's content, as JSON; packages above register it in AppConfig.ready
_PARTS: dict[str, Callable[[Campaign], Any]] = {}


def add_part(name: str, read: Callable[[Campaign], Any]) -> None:
    """Make what `read` returns a part of the content. A campaign for which `read` returns None has no such part, and
    the same hash as before."""
    _PARTS[name] = read


def content_hash(campaign: Campaign, *, times_of: Campaign | None = None) -> str:
    """64 hex digits. `times_of`: the campaign whose times count, for the copy that a schedule makes for a slot."""
    return hash_of_parts(content_parts(campaign, times_of=times_of))


def content_parts(campaign: Campaign, *, times_of: Campaign | None = None) -> dict[str, str]:
    """Each part of the content with its own hash. The campaign as it is in memory: callers that decide lock it."""
    times = times_of or campaign
    values = {
        "template": [str(campaign.template_id), str(version_id_of(campaign))],
        "category": _category(campaign),
        "audience": _audience(campaign.audience),
        "data": campaign.data,
        "settings": {name: getattr(campaign, name) for name in _SETTINGS},
        "times": {name: getattr(times, name) for name in _TIMES},
    }
    if (variants := _variants(campaign)) is not None:
        values["variants"] = variants
    for name, read in _PARTS.items():
        if (value := read(campaign)) is not None:
            values[name] = value
    return {name: _digest(value) for name, value in values.items()}


def hash_of_parts(parts: dict[str, str]) -> str:
    return _digest(parts)


def changed_parts(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The names of the parts that differ."""
    return [name for name in sorted(before | after) if before.get(name) != after.get(name)]


def named_lists(audience: Audience) -> list[Audience]:
    """The uploaded lists that the filter of a segment names."""
    if audience.source != Audience.Source.SEGMENT or not (ids := named_list_ids(audience.filter)):
        return []
    return list(Audience.objects.filter(tenant_id=audience.tenant_id, pk__in=ids).order_by("pk"))


def version_id_of(campaign: Campaign) -> Any:
    """The id of the template's version that recipients get: of a draft the newest, which arming would take."""
    if campaign.state != State.DRAFT:
        return campaign.version_id
    versions = TemplateVersion.objects.filter(template_id=campaign.template_id).order_by("-number")
    return versions.values_list("pk", flat=True).first()


def variant_versions(campaign: Campaign) -> dict[str, Any]:
    """Variant -> the id of its version, as `version_id_of`; empty for a campaign without variants."""
    variants = CampaignVariant.objects.filter(campaign=campaign)
    return {variant.key: _variant_version(campaign, variant) for variant in variants}


def _variant_version(campaign: Campaign, variant: CampaignVariant) -> Any:
    if campaign.state != State.DRAFT:
        return variant.version_id
    versions = TemplateVersion.objects.filter(template_id=variant.template_id).order_by("-number")
    fixed = versions if variant.number is None else versions.filter(number=variant.number)
    return fixed.values_list("pk", flat=True).first()


_EXPERIMENT = (
    "test_percent", "holdout_percent", "choice", "metric", "after_minutes", "min_sample", "otherwise", "default_key",
)  # fmt: skip


def _variants(campaign: Campaign) -> Any:
    """The A/B test; None without one. Not what it found: a winner is no edit."""
    experiment = Experiment.objects.filter(campaign=campaign).first()
    if experiment is None:
        return None
    versions = variant_versions(campaign)
    variants = CampaignVariant.objects.filter(campaign=campaign)
    rows = [[each.key, str(each.template_id), str(versions[each.key]), each.weight] for each in variants]
    return {"variants": rows, **{name: getattr(experiment, name) for name in _EXPERIMENT}}


def _category(campaign: Campaign) -> Any:
    """The category decides whose opt-outs hold: of a draft that of its template, which arming would take."""
    category = campaign.template.category
    if campaign.state != State.DRAFT and campaign.category != (category.key if category else ""):
        category = Category.objects.filter(tenant_id=campaign.tenant_id, key=campaign.category).first()
    return category and [category.key, category.kind]


def _audience(audience: Audience | None) -> Any:
    """The definition of the audience, with the versions of the lists that a segment names."""
    if audience is None:
        return None
    definition = [str(audience.pk), *(getattr(audience, name) for name in _AUDIENCE)]
    lists = named_lists(audience)
    return [*definition, {str(each.pk): each.list_version for each in lists}] if lists else definition


def _digest(value: Any) -> str:
    # times become texts in UTC; a row that was just written has the same value in memory as the row that was read
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode()).hexdigest()
