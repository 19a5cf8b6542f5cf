"""Walk, count and sample an audience. Every page is one query by keyset, so memory is flat and no page costs more than
the first."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from campaigns.audience import segments
from campaigns.models import Audience
from tenants.models import Recipient


@dataclass(frozen=True)
class AudiencePage:
    """Some recipients of an audience, and how many entries of a list are nobody of this tenant."""

    recipient_ids: list[uuid.UUID]
    unknown: int = 0


def pages(audience: Audience, size: int) -> Iterator[AudiencePage]:
    """The whole audience, `size` entries at a time: a segment by recipient id, a list in the order of its file."""
    walk = _segment_pages if audience.source == Audience.Source.SEGMENT else _list_pages
    return walk(audience, size)


def count(audience: Audience) -> int:
    """How many recipients it reaches now; entries of a list that are nobody of this tenant do not count."""
    sql, params = _matching(audience)
    return int(_rows(f"SELECT count(*) {sql}", params)[0][0])


def sample(audience: Audience, n: int) -> list[Recipient]:
    """The first `n` of it."""
    sql, params = _matching(audience)
    order = "r.id" if audience.source == Audience.Source.SEGMENT else "m.id"
    ids = [row[0] for row in _rows(f"SELECT r.id {sql} ORDER BY {order} LIMIT %s", [*params, n])]
    found = Recipient.objects.filter(tenant_id=audience.tenant_id).in_bulk(ids)
    return [found[i] for i in ids if i in found]


def _matching(audience: Audience) -> tuple[str, list[Any]]:
    """FROM and WHERE of the recipients in an audience."""
    if audience.source == Audience.Source.SEGMENT:
        where, params = segments.compiled(segments.check(audience.filter))
        return f"FROM tenants_recipient r WHERE r.tenant_id = %s{where}", [audience.tenant_id, *params]
    return (
        "FROM campaigns_audiencemember m JOIN tenants_recipient r"
        " ON r.tenant_id = m.tenant_id AND r.external_id = m.external_id"
        " WHERE m.tenant_id = %s AND m.audience_id = %s",
        [audience.tenant_id, audience.id],
    )


def _segment_pages(audience: Audience, size: int) -> Iterator[AudiencePage]:
    where, params = segments.compiled(segments.check(audience.filter))
    after = uuid.UUID(int=0)
    while True:
        rows = _rows(
            f"SELECT r.id FROM tenants_recipient r WHERE r.tenant_id = %s AND r.id > %s{where} ORDER BY r.id LIMIT %s",
            [audience.tenant_id, after, *params, size],
        )
        if rows:
            yield AudiencePage([row[0] for row in rows])
            after = rows[-1][0]
        if len(rows) < size:
            return


_LIST_PAGE = """
SELECT m.id, r.id
FROM (SELECT id, external_id FROM campaigns_audiencemember
      WHERE tenant_id = %s AND audience_id = %s AND id > %s ORDER BY id LIMIT %s) m
LEFT JOIN tenants_recipient r ON r.tenant_id = %s AND r.external_id = m.external_id
ORDER BY m.id
"""


def _list_pages(audience: Audience, size: int) -> Iterator[AudiencePage]:
    after = 0
    while True:
        rows = _rows(_LIST_PAGE, [audience.tenant_id, audience.id, after, size, audience.tenant_id])
        if rows:
            known = [row[1] for row in rows if row[1] is not None]
            yield AudiencePage(known, len(rows) - len(known))
            after = rows[-1][0]
        if len(rows) < size:
            return


def _rows(sql: str, params: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
