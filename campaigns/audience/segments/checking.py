"""A filter as the API and the admin get it, checked into conditions.

`[{"field": "locale", "op": "in", "value": ["de", "de-AT"]}, {"any": [{"field": "attributes.plan", "op": "eq", "value":
"pro"}, {"field": "attributes.points", "op": "gt", "value": 100}]}]`
All entries must hold; of an entry `any`, one condition must.
"""

from __future__ import annotations

from typing import Any

from campaigns.audience.segments.conditions import AnyOf, Condition, Filter
from campaigns.audience.segments.fields import FIELDS, NAMED_FIELDS, operators
from campaigns.audience.segments.values import MAX_TEXT, checked_value
from notifier.errors import InvalidInput
from notifier.values.text import check_storable
from tenants.people import attributes

#: those inside of `any` are counted, too
MAX_CONDITIONS = 30


def check_filter(raw: Any) -> Filter:
    """The conditions of a filter. Raises InvalidInput, which names the condition and its part; also for a filter
    without conditions, which would mean all recipients by accident."""
    if raw is not None and not isinstance(raw, list):
        raise InvalidInput("The filter must be a list of conditions.", field="filter")
    if not raw:
        raise InvalidInput(
            'A segment needs at least one condition. For all recipients choose the source "everybody".', field="filter"
        )
    if sum(map(_size, raw)) > MAX_CONDITIONS:
        raise InvalidInput(f"A filter may have {MAX_CONDITIONS} conditions.", field="filter")
    return tuple(_entry(item, f"filter.{index}") for index, item in enumerate(raw))


def _size(item: Any) -> int:
    group = item.get("any") if isinstance(item, dict) else None
    return max(1, len(group)) if isinstance(group, list) else 1


def _entry(item: Any, where: str) -> Condition | AnyOf:
    if not isinstance(item, dict) or "any" not in item:
        return _condition(item, where)
    if len(item) > 1:
        raise InvalidInput('A group is {"any": [condition, …]} and has no other key.', field=where)
    group = item["any"]
    if not isinstance(group, list) or not group:
        raise InvalidInput("Must be a list of at least one condition.", field=f"{where}.any")
    return AnyOf(tuple(_condition(one, f"{where}.any.{index}") for index, one in enumerate(group)))


def _condition(item: Any, where: str) -> Condition:
    if not isinstance(item, dict):
        raise InvalidInput('A condition is {"field": …, "op": …, "value": …}.', field=where)
    if "any" in item:
        raise InvalidInput("A group holds conditions, and no further group.", field=where)
    unknown = sorted(str(key) for key in item if key not in ("field", "op", "value"))
    if unknown:
        raise InvalidInput(f"A condition has no {unknown[0][:MAX_TEXT]!r}.", field=where)
    name, op = item.get("field"), item.get("op")
    if not isinstance(name, str) or not (name in NAMED_FIELDS or name.startswith("attributes.")):
        raise InvalidInput(f"Must be one of: {', '.join(FIELDS)}.", field=f"{where}.field")
    path = _path(name, f"{where}.field")
    allowed = operators(name, path)
    if not isinstance(op, str) or op not in allowed:
        raise InvalidInput(f"{name} can be compared with: {', '.join(allowed)}.", field=f"{where}.op")
    return Condition(name, op, checked_value(name, op, item.get("value"), f"{where}.value"), path)


def _path(name: str, where: str) -> tuple[str, ...]:
    """The keys below `attributes`; empty for any other field."""
    if name in NAMED_FIELDS:
        return ()
    check_storable(name, where)
    keys = tuple(name.split(".")[1:])
    if len(keys) > attributes.MAX_DEPTH or not all(map(attributes.is_key, keys)):
        raise InvalidInput(
            f"An attribute's path has up to {attributes.MAX_DEPTH} keys of 1 to {attributes.MAX_KEY} printable "
            "characters, joined by dots.",
            field=where,
        )
    return keys
