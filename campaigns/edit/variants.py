"""The A/B test of a draft: what a caller sent becomes rows, or an error that names the field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction

from campaigns.approval import supersede
from campaigns.arming import return_to_draft
from campaigns.arming.planning.variants import check_rest_in_time, check_variant, version_of
from campaigns.audience import topic_of
from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.edit.editable import check_editable
from campaigns.models import Campaign, CampaignVariant, Choice, Experiment, Metric, Otherwise
from notifier.errors import InvalidInput
from notifier.models import Template
from notifier.values.text import is_storable
from tenants.categories import check_not_archived

#: the keys that variants may have
KEYS = "ABCDEFGH"
LEAST = 2
MAX_WEIGHT = 1_000
#: minutes
MAX_AFTER = 30 * 24 * 60
MAX_SAMPLE = 10_000_000

_VARIANT_FIELDS = frozenset({"template", "version", "weight"})
_CHOICES: Mapping[str, Sequence[str]] = {
    "choice": Choice.values,
    "metric": Metric.values,
    "otherwise": Otherwise.values,
}
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "test_percent": (1, 100),
    "holdout_percent": (0, 50),
    "after_minutes": (1, MAX_AFTER),
    "min_sample": (1, MAX_SAMPLE),
}
_FIELDS = frozenset({"variants", "default", *_CHOICES, *_NUMBERS})


def put_variants(campaign: Campaign, raw: Mapping[str, Any], *, by: Actor = OPERATOR) -> Experiment:
    """Replace the campaign's A/B test; fields that `raw` leaves out get their defaults. An armed campaign returns to
    draft. Raises InvalidInput naming the field, or Conflict after GO.

    `raw`: variants (template key, version number, weight of each), test_percent, holdout_percent, choice, metric,
    after_minutes, min_sample, otherwise, default (a key)."""
    with transaction.atomic():
        campaign = _lock(campaign)
        columns = _columns(raw)
        variants = _variants(campaign, raw.get("variants"))
        columns["default_key"] = _default_key(raw.get("default"), [each.key for each in variants])
        check_campaign(campaign, variants)
        if campaign.local_time is not None:
            check_rest_in_time(campaign.passed, Experiment(**columns), "test_percent")
        return_to_draft(campaign)
        supersede(campaign)
        CampaignVariant.objects.filter(campaign=campaign).delete()
        CampaignVariant.objects.bulk_create(variants)
        experiment, _ = Experiment.objects.update_or_create(
            campaign=campaign, defaults={"tenant_id": campaign.tenant_id, **columns}
        )
        Campaign.objects.filter(pk=campaign.pk).update(tested_at=None, tested_version=None)
        record(campaign, Act.CHANGE, by, fields=["variants"], variants=len(variants))
    return experiment


def remove_variants(campaign: Campaign, *, by: Actor = OPERATOR) -> bool:
    """Make the campaign one without variants. False when it has none. Raises Conflict after GO."""
    with transaction.atomic():
        campaign = _lock(campaign)
        if not Experiment.objects.filter(campaign=campaign).exists():
            return False
        return_to_draft(campaign)
        supersede(campaign)
        CampaignVariant.objects.filter(campaign=campaign).delete()
        Experiment.objects.filter(campaign=campaign).delete()
        Campaign.objects.filter(pk=campaign.pk).update(tested_at=None, tested_version=None)
        record(campaign, Act.CHANGE, by, fields=["variants"], variants=0)
    return True


def copy_variants(source: Campaign, copy: Campaign, **columns: Any) -> None:
    """Give the copy the same A/B test; part of making the copy. `columns`: other settings than the source's."""
    experiment = Experiment.objects.filter(campaign=source).first()
    if experiment is None:
        return
    names = ("test_percent", "holdout_percent", "choice", "metric", "after_minutes", "min_sample", "otherwise",
             "default_key")  # fmt: skip
    same = {name: getattr(experiment, name) for name in names}
    Experiment.objects.create(tenant_id=copy.tenant_id, campaign=copy, **{**same, **columns})
    CampaignVariant.objects.bulk_create(
        CampaignVariant(
            tenant_id=copy.tenant_id,
            campaign=copy,
            key=each.key,
            template_id=each.template_id,
            number=each.number,
            weight=each.weight,
        )
        for each in CampaignVariant.objects.filter(campaign=source)
    )


def check_campaign(campaign: Campaign, variants: Iterable[CampaignVariant]) -> None:
    """Raise InvalidInput unless these variants fit the campaign as it is."""
    variants = list(variants)
    if variants and topic_of(campaign):
        raise InvalidInput(
            "A topic gets one message, so it has no variants. Choose an audience of recipients.", field="variants"
        )
    for variant in variants:
        check_variant(campaign, variant, version_of(variant))


def _lock(campaign: Campaign) -> Campaign:
    rows = Campaign.objects.select_for_update(of=("self",)).select_related("tenant", "template__category", "audience")
    locked = rows.get(pk=campaign.pk)
    check_editable(locked)
    return locked


def _columns(raw: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(raw) - _FIELDS):
        raise InvalidInput("There is no such field.", field=unknown[0])
    columns: dict[str, Any] = {}
    for field, (least, most) in _NUMBERS.items():
        if field in raw:
            columns[field] = _whole(field, least, most, raw[field])
    for field, choices in _CHOICES.items():
        if field in raw:
            if raw[field] not in choices:
                raise InvalidInput(f"Must be one of: {', '.join(choices)}.", field=field, code="invalid_choice")
            columns[field] = raw[field]
    defaults = Experiment()
    for name in (*_NUMBERS, *_CHOICES):
        columns.setdefault(name, getattr(defaults, name))
    if columns["test_percent"] + columns["holdout_percent"] > 100:
        raise InvalidInput(
            f"The test ({columns['test_percent']} %) and the holdout ({columns['holdout_percent']} %) are more than "
            "the audience.",
            field="test_percent",
        )
    return columns


def _variants(campaign: Campaign, raw: Any) -> list[CampaignVariant]:
    if not isinstance(raw, list | tuple) or not LEAST <= len(raw) <= len(KEYS):
        raise InvalidInput(f"Must be a list of {LEAST} to {len(KEYS)} variants.", field="variants")
    variants = [_variant(campaign, key, each) for key, each in zip(KEYS, raw, strict=False)]
    seen: dict[tuple[Any, int | None], str] = {}
    for variant in variants:
        first = seen.setdefault((variant.template_id, variant.number), variant.key)
        if first != variant.key:
            raise InvalidInput(
                f"Variants {first} and {variant.key} are the same template and version: nobody could tell them apart.",
                field="variants",
                code="same_variant",
            )
    return variants


def _variant(campaign: Campaign, key: str, raw: Any) -> CampaignVariant:
    if not isinstance(raw, Mapping) or not set(raw) <= _VARIANT_FIELDS:
        raise InvalidInput(
            f'Variant {key}: must be an object such as {{"template": "spring", "version": 3, "weight": 1}}.',
            field="variants",
        )
    template, number = campaign.template, raw.get("version")
    if raw.get("template") is not None:
        template = _template(campaign, key, raw["template"])
    if number is not None:
        number = _whole("variants", 1, 2_147_483_647, number, f"Variant {key}: the version")
    weight = _whole("variants", 1, MAX_WEIGHT, raw.get("weight", 1), f"Variant {key}: the weight")
    return CampaignVariant(
        tenant_id=campaign.tenant_id, campaign=campaign, key=key, template=template, number=number, weight=weight
    )


def _template(campaign: Campaign, key: str, raw: Any) -> Template:
    rows = Template.objects.select_related("category").filter(tenant_id=campaign.tenant_id, key=raw)
    template = rows.first() if isinstance(raw, str) and is_storable(raw) else None
    if template is None:
        raise InvalidInput(f"Variant {key}: there is no template {raw!r}.", field="variants", code="unknown_template")
    check_not_archived(template.category, "variants")
    return template


def _default_key(raw: Any, keys: Sequence[str]) -> str:
    if raw is None:
        return keys[0]
    if raw not in keys:
        raise InvalidInput(f"Must be one of the variants: {', '.join(keys)}.", field="default", code="invalid_choice")
    return str(raw)


def _whole(field: str, least: int, most: int, raw: Any, subject: str = "") -> int:
    is_whole = isinstance(raw, int) and not isinstance(raw, bool) and least <= raw <= most
    if not is_whole:
        what = f"{subject} must be" if subject else "Must be"
        raise InvalidInput(f"{what} a whole number from {least} to {most:,}.", field=field)
    return int(raw)
