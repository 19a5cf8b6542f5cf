"""Conditions on the attributes of recipients as SQL. A text compares like the number, the boolean or the date that it
looks like: files and apps store those as texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson

from campaigns.audience.segments.conditions import Condition, Sql
from campaigns.audience.segments.fields import COMPARE, OPS_OF_DAYS


def attribute_sql(condition: Condition) -> Sql:
    op, value, path = condition.op, condition.value, list(condition.path)
    if op in ("eq", "ne", "in", "not_in"):
        # containment, because the gin index (jsonb_path_ops) serves it
        values = [equal for v in (value if isinstance(value, list) else [value]) for equal in _equal_values(v)]
        either = " OR ".join("r.attributes @> %s::jsonb" for _ in values)
        return (either if op in ("eq", "in") else f"NOT ({either})"), [_nested(path, v) for v in values]
    if op == "exists":
        known = "coalesce(r.attributes #> %s::text[], 'null') <> 'null'"
        return (known if value else f"NOT ({known})"), [path]
    if op in OPS_OF_DAYS:
        return _days(path, op, value)
    if op in COMPARE:
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
        compare = f'(r.attributes #>> %s::text[]) COLLATE "C" {COMPARE[op]} %s'
        return f"{text} AND {compare}", [path, path, like, path, value]
    # CASE, because PostgreSQL may evaluate the sides of an AND in any order, and the cast would fail on other texts
    compare = f"(r.attributes #>> %s::text[])::numeric {COMPARE[op]} %s::numeric"
    number = (
        f"CASE jsonb_typeof(r.attributes #> %s::text[]) WHEN 'number' THEN {compare}"
        f" WHEN 'string' THEN CASE WHEN r.attributes #>> %s::text[] ~ %s THEN {compare} ELSE false END ELSE false END"
    )
    return number, [path, path, value, path, f"^{_NUMBER}$", path, value]


def _nested(path: Sequence[str], value: Any) -> str:
    for key in reversed(path):
        value = {key: value}
    return orjson.dumps(value).decode()


#: the date of today, so many days later, in UTC
_DAY = "to_char((now() AT TIME ZONE 'UTC') + make_interval(days => %s), 'YYYY-MM-DD')"


def _days(path: list[str], op: str, days: int) -> Sql:
    """A text that begins like a date is compared by its date with the days around today."""
    first, last = {"days_ago": (-days, -days), "within_next_days": (0, days)}.get(op, (-days, 0))
    date = 'left(r.attributes #>> %s::text[], 10) COLLATE "C"'
    text = "jsonb_typeof(r.attributes #> %s::text[]) = 'string' AND r.attributes #>> %s::text[] ~ %s"
    sql = f"coalesce({text} AND {date} BETWEEN {_DAY} AND {_DAY}, false)"
    return f"NOT {sql}" if op == "not_within_days" else sql, [path, path, f"^{_DATE}", path, first, last]
