"""Slice, count and sample an audience. A slice's bounds are keys, so that no slice costs more than the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from campaigns.audience import segments
from campaigns.models import Audience
from notifier.delivery.planning.recipients import RecipientQuery
from tenants.models import Recipient


@dataclass(frozen=True)
class KeyRange:
    """Entries after `after` up to and with `until`: recipient ids of a segment, member ids of a list."""

    after: str
    until: str
    entries: int


#: before every recipient's id, and before every member's
_FIRST_RECIPIENT, _FIRST_MEMBER = "00000000-0000-0000-0000-000000000000", "0"


def key_ranges(audience: Audience, size: int) -> Iterator[KeyRange]:
    """The whole audience as it is now, in parts of `size` entries: one query."""
    key, sql, params = _entries(audience)
    last = f"lead({key}) OVER (ORDER BY {key}) IS NULL"
    numbered = f"SELECT {key}::text AS key, row_number() OVER (ORDER BY {key}) AS n, {last} AS last {sql}"
    ends = _rows(f"SELECT key, n FROM ({numbered}) e WHERE n %% %s = 0 OR last ORDER BY n", [*params, size])
    after, before = _FIRST_MEMBER if _is_list(audience) else _FIRST_RECIPIENT, 0
    for until, n in ends:
        yield KeyRange(after, until, n - before)
        after, before = until, n


def recipient_query(audience: Audience, after: str, until: str) -> RecipientQuery:
    """The recipients of one slice; an entry of a list that is nobody of this tenant is one without a recipient."""
    if not _is_list(audience):
        where, params = _conditions(audience)
        return RecipientQuery(
            "FROM tenants_recipient r",
            f"r.tenant_id = %s AND r.id > %s::uuid AND r.id <= %s::uuid{where}",
            "r.id",
            [audience.tenant_id, after, until, *params],
        )
    return RecipientQuery(
        "FROM campaigns_audiencemember m LEFT JOIN tenants_recipient r"
        " ON r.tenant_id = m.tenant_id AND r.external_id = m.external_id",
        "m.tenant_id = %s AND m.audience_id = %s AND m.id > %s::bigint AND m.id <= %s::bigint",
        "m.id",
        [audience.tenant_id, audience.pk, after, until],
    )


def count_recipients(audience: Audience) -> int:
    """How many recipients it reaches now; entries of a list that are nobody of this tenant do not count."""
    sql, params = _matching(audience)
    return int(_rows(f"SELECT count(*) {sql}", params)[0][0])


def sample_recipients(audience: Audience, n: int) -> list[Recipient]:
    """The first `n` of it."""
    sql, params = _matching(audience)
    order = "m.id" if _is_list(audience) else "r.id"
    ids = [row[0] for row in _rows(f"SELECT r.id {sql} ORDER BY {order} LIMIT %s", [*params, n])]
    found = Recipient.objects.filter(tenant_id=audience.tenant_id).in_bulk(ids)
    return [found[i] for i in ids if i in found]


def _matching(audience: Audience) -> tuple[str, list[Any]]:
    """FROM and WHERE of the recipients in an audience."""
    if not _is_list(audience):
        return _recipients(audience)
    return (
        "FROM campaigns_audiencemember m JOIN tenants_recipient r"
        " ON r.tenant_id = m.tenant_id AND r.external_id = m.external_id"
        " WHERE m.tenant_id = %s AND m.audience_id = %s",
        [audience.tenant_id, audience.id],
    )


def _entries(audience: Audience) -> tuple[str, str, list[Any]]:
    """Key, FROM and WHERE of what is walked: the members of a list need no look at the recipients."""
    if not _is_list(audience):
        return ("r.id", *_recipients(audience))
    where = "WHERE m.tenant_id = %s AND m.audience_id = %s"
    return "m.id", f"FROM campaigns_audiencemember m {where}", [audience.tenant_id, audience.pk]


def _is_list(audience: Audience) -> bool:
    return audience.source == Audience.Source.LIST


def _conditions(audience: Audience) -> segments.Sql:
    """Which recipients. A segment without conditions is refused here, too, so that no row can mean everybody."""
    if audience.source == Audience.Source.EVERYBODY:
        return "", []
    return segments.compile_filter(segments.check_filter(audience.filter))


def _recipients(audience: Audience) -> tuple[str, list[Any]]:
    where, params = _conditions(audience)
    return f"FROM tenants_recipient r WHERE r.tenant_id = %s{where}", [audience.tenant_id, *params]


def _rows(sql: str, params: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
