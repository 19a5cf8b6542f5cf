"""Conditions as SQL. Values and paths are always parameters, never part of a statement's text."""

from __future__ import annotations

from campaigns.audience.segments.activity import activity_sql
from campaigns.audience.segments.attributes import attribute_sql
from campaigns.audience.segments.conditions import AnyOf, Condition, Filter, Sql
from campaigns.audience.segments.fields import COMPARE, is_column

#: midnight of a day so many days ago, in UTC; the day after it has one day less
_MIDNIGHT = "(date_trunc('day', now() AT TIME ZONE 'UTC') - make_interval(days => %s)) AT TIME ZONE 'UTC'"


def compile_filter(conditions: Filter) -> Sql:
    """`AND …` for each condition or group."""
    parts = [_any_of(entry) if isinstance(entry, AnyOf) else _sql(entry) for entry in conditions]
    return "".join(f" AND ({sql})" for sql, _ in parts), [p for _, params in parts for p in params]


def _any_of(group: AnyOf) -> Sql:
    parts = [_sql(condition) for condition in group.conditions]
    return " OR ".join(f"({sql})" for sql, _ in parts), [p for _, params in parts for p in params]


def _sql(condition: Condition) -> Sql:
    if condition.path:
        return attribute_sql(condition)
    return _column(condition) if is_column(condition) else activity_sql(condition)


def _column(condition: Condition) -> Sql:
    # the column is one of the known fields, never a text of the caller
    column, op, value = f"r.{condition.field}", condition.op, condition.value
    if op in COMPARE:
        return f"{column} {COMPARE[op]} %s", [value]
    if op == "days_ago":
        return f"{column} >= {_MIDNIGHT} AND {column} < {_MIDNIGHT}", [value, value - 1]
    if op in ("within_days", "not_within_days"):
        return f"{column} {'>=' if op == 'within_days' else '<'} now() - make_interval(days => %s)", [value]
    if op == "exists":
        return f"{column} {'<>' if value else '='} ''", []
    if op in ("in", "not_in"):
        return f"{column} {'= ANY' if op == 'in' else '<> ALL'}(%s::text[])", [value]
    if op == "contains":
        return f"strpos(lower({column}), lower(%s)) > 0", [value]
    if op == "prefix":
        return f"starts_with(lower({column}), lower(%s))", [value]
    return f"{column} {'=' if op == 'eq' else '<>'} %s", [value]
