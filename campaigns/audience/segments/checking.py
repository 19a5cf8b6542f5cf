"""A filter as the API and the admin get it, checked into conditions.

`[{"field": "locale", "op": "in", "value": ["de", "de-AT"]}, {"any": [{"field": "attributes.plan", "op": "eq", "value":
"pro"}, {"none": [{"field": "attributes.points", "op": "gt", "value": 100}]}]}]`
All entries must hold. An entry is a condition or a group: of `all` every entry must hold, of `any` one, of `none` none.
"""

from __future__ import annotations

from typing import Any

from campaigns.audience.segments.conditions import Condition, Filter, Group, Match
from campaigns.audience.segments.fields import FIELDS, NAMED_FIELDS, operators
from campaigns.audience.segments.values import MAX_TEXT, checked_value
from notifier.errors import InvalidInput
from notifier.values.text import check_storable
from tenants.people import attributes

#: those inside of groups are counted, too
MAX_CONDITIONS = 30
#: groups within groups
MAX_LEVELS = 3
_KEYS = tuple(match.value for match in Match)


def check_filter(raw: Any) -> Filter:
    """The conditions of a filter. Raises InvalidInput, which names the condition and its part; also for a filter
    without conditions, which would mean all recipients by accident."""
    if raw is not None and not isinstance(raw, list):
        raise InvalidInput("The filter must be a list of conditions.", field="filter")
    if not raw:
        raise InvalidInput(
            'A segment needs at least one condition. For all recipients choose the source "everybody".', field="filter"
        )
    if sum(_size(item, MAX_LEVELS) for item in raw) > MAX_CONDITIONS:
        raise InvalidInput(f"A filter may have {MAX_CONDITIONS} conditions.", field="filter")
    return tuple(_entry(item, f"filter.{index}", MAX_LEVELS) for index, item in enumerate(raw))


def _size(item: Any, levels: int) -> int:
    """The conditions of an entry; deeper groups than are allowed count as one."""
    entries = next((item[key] for key in _KEYS if key in item), None) if isinstance(item, dict) else None
    if not isinstance(entries, list) or levels == 0:
        return 1
    return max(1, sum(_size(entry, levels - 1) for entry in entries))


def _entry(item: Any, where: str, levels: int) -> Condition | Group:
    """`levels`: how many levels of groups may begin here."""
    key = next((key for key in _KEYS if key in item), None) if isinstance(item, dict) else None
    if key is None:
        return _condition(item, where)
    if len(item) > 1:
        raise InvalidInput(f'A group is {{"{key}": [condition, …]}} and has no other key.', field=where)
    if levels == 0:
        raise InvalidInput(f"Groups may be nested {MAX_LEVELS} levels deep.", field=where)
    entries = item[key]
    if not isinstance(entries, list) or not entries:
        raise InvalidInput("Must be a list of at least one condition.", field=f"{where}.{key}")
    checked = (_entry(entry, f"{where}.{key}.{index}", levels - 1) for index, entry in enumerate(entries))
    return Group(Match(key), tuple(checked))


def _condition(item: Any, where: str) -> Condition:
    if not isinstance(item, dict):
        raise InvalidInput('A condition is {"field": …, "op": …, "value": …}.', field=where)
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
    return Condition(name, op, checked_value(name, op, item.get("value"), f"{where}.value"), path, where)


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
