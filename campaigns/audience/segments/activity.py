"""Conditions on what a recipient has and did, as SQL: live devices, messages of campaigns, opens and clicks."""

from __future__ import annotations

from campaigns.audience.segments.conditions import Condition, Sql
from campaigns.audience.segments.fields import CAMPAIGN_FIELDS, DEVICE_FIELDS
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
    field, value = condition.field, condition.value
    values = value if isinstance(value, list) else [value]
    if field in DEVICE_FIELDS:
        # the column is one of the known fields, never a text of the caller
        column = f"d.{field.partition('.')[2]}"
        if condition.op == "exists":
            return _DEVICE.format(f"{column} <> ''"), []
        return _DEVICE.format(f"{column} = ANY(%s::text[])"), [values]
    if field in CAMPAIGN_FIELDS:
        return recipient_conditions.of_campaigns(recipient_conditions.Stage(field.partition("_")[0]), values)
    if field == "device.last_seen_at":
        return _SEEN, [value]
    return recipient_conditions.within_days(recipient_conditions.Stage(field), value)
