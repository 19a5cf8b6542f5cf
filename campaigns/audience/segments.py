"""Segments: a JSON filter is checked into conditions, and conditions become parameterised SQL. Pure.

`[{"field": "locale", "op": "in", "value": ["de", "de-AT"]}, {"field": "attributes.plan", "op": "eq", "value": "pro"}]`
All conditions must hold. `ne` and `not_in` also match recipients without the attribute; `contains` and `prefix` ignore
case. A text compares like the number, the boolean or the date that it looks like: files and apps store those as texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import orjson

from campaigns.storable_json import check_number
from notifier.errors import InvalidInput
from notifier.values import locales, timestamps, zones
from notifier.values.text import check_storable
from notifier.values.trim import trimmed
from tenants.models import Recipient
from tenants.people import attributes

MAX_CONDITIONS = 30
#: a column compares with one `= ANY`; each value of an attribute is a search of its own in the gin index
MAX_VALUES, MAX_ATTRIBUTE_VALUES = 1_000, 100
MAX_TEXT = 500

TEXT_FIELDS = ("external_id", "name", "email", "phone", "locale", "timezone", "status")
FIELDS = (*TEXT_FIELDS, "created_at", "attributes.<path>")
_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
TEXT_OPS = ("eq", "ne", "in", "not_in", "contains", "prefix", "exists")
TIME_OPS = tuple(_COMPARE)
_EQUALITY = ("eq", "ne", "in", "not_in")
_CANONICAL: Mapping[str, Callable[[str, str], str]] = {"locale": locales.canonical, "timezone": zones.canonical}
ATTRIBUTE_OPS = (*TEXT_OPS, *TIME_OPS)


@dataclass(frozen=True)
class Condition:
    """One checked condition. `path` is set for an attribute; `value` has the type that the operator needs."""

    field: str
    op: str
    value: Any
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.field} {self.op} {self.value!r}"


#: a piece of SQL over `r` (tenants_recipient) and its parameters
Sql = tuple[str, list[Any]]


def check_filter(raw: Any) -> tuple[Condition, ...]:
    """The conditions of a filter. Raises InvalidInput, which names the condition and its part; also for a filter
    without conditions, which would mean all recipients by accident."""
    if raw is not None and not isinstance(raw, list):
        raise InvalidInput("The filter must be a list of conditions.", field="filter")
    if not raw:
        raise InvalidInput(
            'A segment needs at least one condition. For all recipients choose the source "everybody".', field="filter"
        )
    if len(raw) > MAX_CONDITIONS:
        raise InvalidInput(f"A filter may have {MAX_CONDITIONS} conditions.", field="filter")
    return tuple(_condition(item, f"filter.{index}") for index, item in enumerate(raw))


def compile_filter(conditions: Sequence[Condition]) -> Sql:
    """`AND …` for each condition. Values and paths are always parameters, never part of the statement's text."""
    parts = [_sql(condition) for condition in conditions]
    return "".join(f" AND ({sql})" for sql, _ in parts), [p for _, params in parts for p in params]


# ---- checking ----------------------------------------------------------------------------------------------------


def _condition(item: Any, where: str) -> Condition:
    if not isinstance(item, dict):
        raise InvalidInput('A condition is {"field": …, "op": …, "value": …}.', field=where)
    unknown = sorted(str(key) for key in item if key not in ("field", "op", "value"))
    if unknown:
        raise InvalidInput(f"A condition has no {unknown[0][:MAX_TEXT]!r}.", field=where)
    name, op = item.get("field"), item.get("op")
    if not isinstance(name, str) or not (name in FIELDS[:-1] or name.startswith("attributes.")):
        raise InvalidInput(f"Must be one of: {', '.join(FIELDS)}.", field=f"{where}.field")
    path = _path(name, f"{where}.field")
    allowed = _ops(name, path)
    if not isinstance(op, str) or op not in allowed:
        raise InvalidInput(f"{name} can be compared with: {', '.join(allowed)}.", field=f"{where}.op")
    return Condition(name, op, _value(name, op, item.get("value"), f"{where}.value"), path)


def _path(name: str, where: str) -> tuple[str, ...]:
    """The keys below `attributes`; empty for a column."""
    if name in FIELDS[:-1]:
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


def _ops(name: str, path: tuple[str, ...]) -> tuple[str, ...]:
    if path:
        return ATTRIBUTE_OPS
    return TIME_OPS if name == "created_at" else TEXT_OPS


def _value(name: str, op: str, value: Any, where: str) -> Any:
    if op == "exists":
        if not isinstance(value, bool):
            raise InvalidInput("Must be true or false.", field=where)
        return value
    if name == "created_at":
        return _time(value, where)
    if name == "locale" and op == "prefix":
        return _text(value, where).replace("_", "-")
    single = _text if op in ("contains", "prefix") or name in TEXT_FIELDS else _scalar
    if name in _CANONICAL and op in _EQUALITY:
        single = partial(_stored_form, name)
    if name in TEXT_FIELDS and op in _EQUALITY:
        # as they are stored
        value = [_trimmed(v) for v in value] if isinstance(value, list) else _trimmed(value)
    if op in ("in", "not_in"):
        return _values(name, value, where, single)
    checked = single(value, where)
    if op in _COMPARE and isinstance(checked, bool):
        raise InvalidInput("Must be a number or a text.", field=where)
    if name == "status" and op in ("eq", "ne"):
        _known_status(checked, where)
    return checked


def _values(name: str, value: Any, where: str, single: Callable[[Any, str], Any]) -> list[Any]:
    most = MAX_VALUES if name in TEXT_FIELDS else MAX_ATTRIBUTE_VALUES
    if not isinstance(value, list) or not 0 < len(value) <= most:
        raise InvalidInput(f"Must be a list of 1 to {most} values.", field=where)
    checked = [single(item, f"{where}.{index}") for index, item in enumerate(value)]
    if name == "status":
        for index, item in enumerate(checked):
            _known_status(item, f"{where}.{index}")
    return checked


def _trimmed(value: Any) -> Any:
    return trimmed(value) if isinstance(value, str) else value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise InvalidInput(f"Must be a text of 1 to {MAX_TEXT} characters.", field=where)
    check_storable(value, where)
    return value


def _scalar(value: Any, where: str) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        check_number(value, where)
        return value
    if not isinstance(value, str):
        raise InvalidInput("Must be a text, a number, true or false.", field=where)
    return _text(value, where)


def _stored_form(name: str, value: Any, where: str) -> str:
    """The value in the form that recipients have. Raises InvalidInput for a value that no recipient can have."""
    return _CANONICAL[name](_text(value, where), where)


def _time(value: Any, where: str) -> datetime:
    moment = timestamps.parse(value)
    if moment is None:
        raise InvalidInput("Must be a date or a time, such as 2026-01-31T09:00:00Z.", field=where)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _known_status(value: str, where: str) -> None:
    if value not in Recipient.State.values:
        raise InvalidInput(f"A recipient is one of: {', '.join(Recipient.State.values)}.", field=where)


# ---- compiling ---------------------------------------------------------------------------------------------------


def _sql(condition: Condition) -> Sql:
    return _attribute(condition) if condition.path else _column(condition)


def _column(condition: Condition) -> Sql:
    # the column is one of FIELDS, never a text of the caller
    column, op, value = f"r.{condition.field}", condition.op, condition.value
    if op in _COMPARE:
        return f"{column} {_COMPARE[op]} %s", [value]
    if op == "exists":
        return f"{column} {'<>' if value else '='} ''", []
    if op in ("in", "not_in"):
        return f"{column} {'= ANY' if op == 'in' else '<> ALL'}(%s::text[])", [value]
    if op == "contains":
        return f"strpos(lower({column}), lower(%s)) > 0", [value]
    if op == "prefix":
        return f"starts_with(lower({column}), lower(%s))", [value]
    return f"{column} {'=' if op == 'eq' else '<>'} %s", [value]


def _attribute(condition: Condition) -> Sql:
    op, value, path = condition.op, condition.value, list(condition.path)
    if op in ("eq", "ne", "in", "not_in"):
        # containment, because the gin index (jsonb_path_ops) serves it
        values = [equal for v in (value if isinstance(value, list) else [value]) for equal in _equal_values(v)]
        either = " OR ".join("r.attributes @> %s::jsonb" for _ in values)
        return (either if op in ("eq", "in") else f"NOT ({either})"), [_nested(path, v) for v in values]
    if op == "exists":
        known = "coalesce(r.attributes #> %s::text[], 'null') <> 'null'"
        return (known if value else f"NOT ({known})"), [path]
    if op in _COMPARE:
        return _ordered(path, op, value)
    text = "jsonb_typeof(r.attributes #> %s::text[]) IN ('string', 'number') AND "
    if op == "prefix":
        return f"{text}starts_with(lower(r.attributes #>> %s::text[]), lower(%s))", [path, path, value]
    in_text = f"{text}strpos(lower(r.attributes #>> %s::text[]), lower(%s)) > 0"
    return f"r.attributes @> %s::jsonb OR ({in_text})", [_nested(path, [value]), path, path, value]


#: a text counts as a number when JSON would write it so; a zip code (00123) does not. The digits are bounded, so that
#: the cast never fails
_NUMBER = r"-?(0|[1-9][0-9]{0,29})([.][0-9]{1,30})?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_looks_like_a_number = re.compile(_NUMBER).fullmatch
_begins_with_a_date = re.compile(_DATE).match
_BOOLEANS = {"true": True, "false": False}


def _equal_values(value: Any) -> list[Any]:
    """The JSON values that count as equal to this value: a number, and its texts with up to two decimals."""
    if isinstance(value, bool):
        word = str(value)
        return [value, word.lower(), word, word.upper()]
    if isinstance(value, str):
        if _looks_like_a_number(value):
            return [value, orjson.Fragment(value)]
        return [value, _BOOLEANS[value.lower()]] if value.lower() in _BOOLEANS else [value]
    text = format(Decimal(str(value)).normalize(), "f")
    if not _looks_like_a_number(text):
        return [value]
    decimals = len(text.partition(".")[2])
    dot = "" if decimals else "."
    return [value, text, *(text + dot + "0" * more for more in range(1, 3 - decimals))]


def _ordered(path: list[str], op: str, value: Any) -> Sql:
    """Numbers compare with numbers and with texts that look like a number; dates with texts that begin like a date; any
    other text with texts (by code point). Nothing else matches."""
    if isinstance(value, str) and not _looks_like_a_number(value):
        like = "^" + _DATE if _begins_with_a_date(value) else ""
        text = "jsonb_typeof(r.attributes #> %s::text[]) = 'string' AND r.attributes #>> %s::text[] ~ %s"
        compare = f'(r.attributes #>> %s::text[]) COLLATE "C" {_COMPARE[op]} %s'
        return f"{text} AND {compare}", [path, path, like, path, value]
    # CASE, because PostgreSQL may evaluate the sides of an AND in any order, and the cast would fail on other texts
    compare = f"(r.attributes #>> %s::text[])::numeric {_COMPARE[op]} %s::numeric"
    number = (
        f"CASE jsonb_typeof(r.attributes #> %s::text[]) WHEN 'number' THEN {compare}"
        f" WHEN 'string' THEN CASE WHEN r.attributes #>> %s::text[] ~ %s THEN {compare} ELSE false END ELSE false END"
    )
    return number, [path, path, value, path, f"^{_NUMBER}$", path, value]


def _nested(path: Sequence[str], value: Any) -> str:
    for key in reversed(path):
        value = {key: value}
    return orjson.dumps(value).decode()
