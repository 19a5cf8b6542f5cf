"""Opt-outs of categories: store one, as the unsubscribe link of an email does; which stay after a yes; since when."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from notifier.vocabulary.ids import new_id

# one statement: calls at once wait for the row, and each of them sees what the one before it stored
_OPT_OUT = """
INSERT INTO tenants_preference AS p
  (id, tenant_id, recipient_id, channels_off, categories_off, categories_on, preferred_channels, language, updated_at)
SELECT %(id)s, r.tenant_id, r.id, '{}', ARRAY[%(entry)s], '{}', '{}', '', now()
FROM tenants_recipient r WHERE r.id = %(recipient)s AND r.tenant_id = %(tenant)s AND r.status <> 'erased'
ON CONFLICT (recipient_id) DO UPDATE
SET categories_off = p.categories_off || excluded.categories_off, updated_at = excluded.updated_at
WHERE NOT p.categories_off && ARRAY[%(entry)s, %(category)s]::varchar[]
"""


def opt_out(tenant_id: uuid.UUID, recipient_id: uuid.UUID, channel: str, category: str) -> None:
    """Needs an open transaction in the tenant's scope. A repeat changes nothing, and neither does the link of a
    deleted or an erased recipient. A trigger writes the consent change."""
    values: dict[str, uuid.UUID | str] = {
        "id": new_id(),
        "tenant": tenant_id,
        "recipient": recipient_id,
        "category": category,
        "entry": f"{category}:{channel}",
    }
    with connection.cursor() as cursor:
        cursor.execute(_OPT_OUT, values)


def without(opt_outs: Sequence[str], category: str, entries: Collection[str], channels: Collection[str]) -> list[str]:
    """The opt-outs that stay when the recipient says yes to these entries of the category. An opt-out from the whole
    category stays for the channels that are not among the entries."""
    kept = [entry for entry in opt_outs if entry not in entries and entry != category]
    if category in opt_outs and category not in entries:
        other_channels = {f"{category}:{name}" for name in channels} - {*entries}
        kept += sorted(other_channels - {*kept})
    return kept


#: the opt-out from everything, among those of categories
EVERYTHING = ""


def opt_outs_since(changes: Iterable[tuple[datetime, Mapping[str, Any]]]) -> dict[str, datetime]:
    """When the recipient said each no that stands, from the times and details of the changes of one preference, the
    oldest first. A detail lists all opt-outs, so a no is as old as the first change of those in a row that list it. A
    no to a category that became one to each other channel (`without`) keeps its time."""
    since: dict[str, datetime] = {}
    for at, detail in changes:
        if detail.get("deleted"):
            since = {}
        if "everything_off" in detail:
            since.pop(EVERYTHING, None)
            if detail["everything_off"]:
                since[EVERYTHING] = at
        if "categories_off" in detail:
            off, before = detail["categories_off"], since
            since = {entry: _since(entry, off, before, at) for entry in off}
            since |= {EVERYTHING: before[EVERYTHING]} if EVERYTHING in before else {}
    return since


def _since(entry: str, off: Collection[str], before: Mapping[str, datetime], at: datetime) -> datetime:
    category = entry.partition(":")[0]
    earlier = [before[entry]] if entry in before else []
    if category not in off and category in before:
        earlier.append(before[category])
    return max(earlier, default=at)
