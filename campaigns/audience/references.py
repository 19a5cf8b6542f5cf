"""What the filters of segments refer to: uploaded lists and categories of the same tenant."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import TextField
from django.db.models.functions import Cast

from campaigns.audience.segments import Condition, Filter, leaves, values_of
from campaigns.audience.segments.fields import CHOICE_FIELDS, LIST_FIELD
from campaigns.models import Audience
from notifier.errors import InvalidInput
from notifier.vocabulary.ids import parse_id
from tenants.models import Category


def check_references(tenant_id: uuid.UUID, conditions: Filter) -> None:
    """Raise InvalidInput, naming the condition, for a list or a category that the tenant does not have."""
    by_list = [condition for condition in leaves(conditions) if condition.field == LIST_FIELD]
    if by_list:
        lists = Audience.objects.filter(tenant_id=tenant_id, source=Audience.Source.LIST, pk__in=_values(by_list))
        known = {str(pk) for pk in lists.values_list("pk", flat=True)}
        message = "There is no such list. Give the id of an audience whose source is a list."
        _check_known(by_list, known, message, "unknown_audience")
    by_category = [condition for condition in leaves(conditions) if condition.field in CHOICE_FIELDS]
    if by_category:
        keys = [value.partition(":")[0] for value in _values(by_category)]
        known = set(Category.objects.filter(tenant_id=tenant_id, key__in=keys).values_list("key", flat=True))
        _check_known(by_category, known, "There is no such category.", "unknown_category")


def named_list_ids(raw: Any) -> list[str]:
    """The ids of the lists that a stored filter names. The filter was checked when it was stored."""
    if isinstance(raw, list):
        return [pk for entry in raw for pk in named_list_ids(entry)]
    if not isinstance(raw, dict):
        return []
    if raw.get("field") == LIST_FIELD:
        value = raw.get("value")
        return [str(each) for each in (value if isinstance(value, list) else [value]) if parse_id(each)]
    return [pk for entries in raw.values() if isinstance(entries, list) for pk in named_list_ids(entries)]


def _values(conditions: list[Condition]) -> list[str]:
    return [value for condition in conditions for value in values_of(condition)]


def _check_known(conditions: list[Condition], known: set[str], message: str, code: str) -> None:
    for condition in conditions:
        for index, value in enumerate(values_of(condition)):
            if value.partition(":")[0] not in known:
                at = f".{index}" if isinstance(condition.value, list) else ""
                raise InvalidInput(message, field=f"{condition.where}.value{at}", code=code)


def segments_with_list(audience: Audience) -> list[Audience]:
    """The segments whose filter names this list. A tenant has hundreds of audiences: their filters are read."""
    segments = Audience.objects.filter(tenant_id=audience.tenant_id, source=Audience.Source.SEGMENT)
    written = segments.annotate(written=Cast("filter", TextField()))
    return list(written.filter(written__contains=str(audience.pk)).order_by("name"))
