"""Load recipients with everything a plan needs: one query for the people, one for their suppressed addresses."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from notifier.channels import channels
from notifier.delivery import bulk
from notifier.vocabulary import Choices, DeviceAddress, Person

_SELECT = """
SELECT r.id, r.external_id, r.name, r.email, r.phone, r.locale, r.timezone, r.attributes, r.status,
       p.channels_off, p.categories_off,
       extract(epoch FROM p.quiet_from)::int / 60, extract(epoch FROM p.quiet_until)::int / 60, p.language,
       (SELECT array_agg(ARRAY[d.id::text, d.platform, d.token, d.app] ORDER BY d.id)
          FROM tenants_device d WHERE d.recipient_id = r.id AND d.dead_since IS NULL)
FROM tenants_recipient r LEFT JOIN tenants_preference p ON p.recipient_id = r.id
WHERE r.tenant_id = %s AND """

_SUPPRESSED = """
SELECT channel, address FROM tenants_suppression WHERE tenant_id = %s AND address = ANY(%b::text[])
"""


def by_external_ids(tenant_id: uuid.UUID, external_ids: Sequence[str]) -> dict[str, Person]:
    """external_id -> Person; who does not exist is missing."""
    people = _load(tenant_id, "r.external_id = ANY(%b::text[])", list(external_ids))
    return {p.external_id: p for p in people}


def by_ids(tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Person]:
    """id -> Person; who does not exist any more is missing."""
    return {p.id: p for p in _load(tenant_id, "r.id = ANY(%b::uuid[])", list(ids))}


def _load(tenant_id: uuid.UUID, where: str, wanted: list[Any]) -> list[Person]:
    if not wanted:
        return []
    with bulk.cursor() as cursor:
        cursor.execute(_SELECT + where, [tenant_id, wanted])
        people = [_person(row) for row in cursor.fetchall()]
        addresses = {a.value for p in people for c in channels().values() for a in c.addresses(p)}
        cursor.execute(_SUPPRESSED, [tenant_id, sorted(addresses)])
        suppressed = frozenset(cursor.fetchall())
    return _with_suppressions(people, suppressed) if suppressed else people


def _person(row: Sequence[Any]) -> Person:
    return Person(
        id=row[0],
        external_id=row[1],
        name=row[2],
        email=row[3],
        phone=row[4],
        locale=row[5],
        timezone=row[6],
        attributes=_json(row[7]),
        status=row[8],
        choices=Choices(frozenset(row[9]), frozenset(row[10]), row[11], row[12], row[13])
        if row[9] is not None
        else Choices(),
        devices=tuple(DeviceAddress(uuid.UUID(d[0]), d[1], d[2], d[3]) for d in row[14] or ()),
    )


def _json(value: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads(value) if isinstance(value, str) else value
    return loaded


def _with_suppressions(people: Iterable[Person], suppressed: frozenset[tuple[str, str]]) -> list[Person]:
    return [dataclasses.replace(p, suppressed=suppressed) for p in people]
