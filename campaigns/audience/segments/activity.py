"""Conditions on what a recipient has and did, as SQL: live devices, messages of campaigns, opens and clicks."""

from __future__ import annotations

from campaigns.audience.segments.conditions import Condition, Sql, values_of
from campaigns.audience.segments.fields import CAMPAIGN_FIELDS, COMPARE, DEVICE_FIELDS, LAST_SEEN
from notifier.delivery.ledger.people import recipient_conditions

_DEVICE = (
    "EXISTS (SELECT FROM tenants_device d WHERE d.tenant_id = r.tenant_id AND d.recipient_id = r.id"
    " AND d.dead_since IS NULL AND {})"
)
_SEEN = _DEVICE.format("d.last_seen_at >= now() - make_interval(days => %s)")


def activity_sql(condition: Condition) -> Sql:
    """The SQL of a condition that is on no column and no attribute of the recipient. `ne`, `not_in` and
    `not_within_days` are the opposites of `eq`, `in` and `within_days`, for every recipient."""
    sql, params = _positive(condition)
    negative = condition.op in ("ne", "not_in", "not_within_days") or condition.value is False
    return f"NOT {sql}" if negative else sql, params


def _positive(condition: Condition) -> Sql:
    field, values = condition.field, values_of(condition)
    if field in DEVICE_FIELDS:
        # the column is one of the known fields, never a text of the caller
        column = f"d.{field.partition('.')[2]}"
        if condition.op == "exists":
            return _DEVICE.format(f"{column} <> ''"), []
        return _DEVICE.format(f"{column} = ANY(%s::text[])"), [values]
    if field in CAMPAIGN_FIELDS:
        return recipient_conditions.of_campaigns(recipient_conditions.Stage(field.partition("_")[0]), values)
    if field == LAST_SEEN:
        return _seen(condition)
    return recipient_conditions.within_days(recipient_conditions.Stage(field), condition.value)


def _seen(condition: Condition) -> Sql:
    """`lt` and `lte` look at the device that was seen last, and find no recipient without a device."""
    if condition.op not in COMPARE:
        return _SEEN, [condition.value]
    column = "d.last_seen_at"
    if condition.op in ("gt", "gte"):
        return _DEVICE.format(f"{column} {COMPARE[condition.op]} %s"), [condition.value]
    later = ">=" if condition.op == "lt" else ">"
    return f"{_DEVICE.format('true')} AND NOT {_DEVICE.format(f'{column} {later} %s')}", [condition.value]
