"""Conditions as SQL. Values and paths are always parameters, never part of a statement's text."""

from __future__ import annotations

from campaigns.audience.segments.activity import activity_sql
from campaigns.audience.segments.attributes import attribute_sql
from campaigns.audience.segments.conditions import Condition, Filter, Group, Match, Sql
from campaigns.audience.segments.fields import COMPARE, MEMBERSHIP_FIELDS, is_column
from campaigns.audience.segments.membership import membership_sql

#: midnight of a day so many days ago, in UTC; the day after it has one day less
_MIDNIGHT = "(date_trunc('day', now() AT TIME ZONE 'UTC') - make_interval(days => %s)) AT TIME ZONE 'UTC'"


def compile_filter(conditions: Filter) -> Sql:
    """`AND …` for each condition or group."""
    parts = [_sql(entry) for entry in conditions]
    return "".join(f" AND ({sql})" for sql, _ in parts), [p for _, params in parts for p in params]


def _sql(entry: Condition | Group) -> Sql:
    if isinstance(entry, Group):
        return _group(entry)
    if entry.path:
        return attribute_sql(entry)
    if entry.field in MEMBERSHIP_FIELDS:
        return membership_sql(entry)
    return _column(entry) if is_column(entry) else activity_sql(entry)


def _group(group: Group) -> Sql:
    parts = [_sql(entry) for entry in group.entries]
    sql = (" AND " if group.match == Match.ALL else " OR ").join(f"({sql})" for sql, _ in parts)
    # a comparison with a missing attribute is NULL, and NOT NULL would leave its recipients out
    return f"({sql}) IS NOT TRUE" if group.match == Match.NONE else sql, [p for _, params in parts for p in params]


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
