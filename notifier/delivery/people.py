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

# the nested queries keep their place: a join may be planned as a scan of every device there is, which for 10,000
# recipients among 300,000 took both cores
_COLUMNS = """
SELECT r.id, r.external_id, r.name, r.email, r.phone, r.locale, r.timezone, r.attributes::text, r.status,
       p.channels_off, p.categories_off, p.quiet_from, p.quiet_until, p.language, d.id, d.platform, d.token, d.app
"""
_CHOICES_AND_DEVICES = """
LEFT JOIN LATERAL (
  SELECT channels_off, categories_off, extract(epoch FROM quiet_from)::int / 60 AS quiet_from,
         extract(epoch FROM quiet_until)::int / 60 AS quiet_until, language
  FROM tenants_preference WHERE recipient_id = r.id OFFSET 0) p ON true
LEFT JOIN LATERAL (
  SELECT id, platform, token, app FROM tenants_device
  WHERE recipient_id = r.id AND dead_since IS NULL ORDER BY id) d ON true
"""

_SUPPRESSED = """
SELECT channel, address FROM tenants_suppression WHERE tenant_id = %s AND address = ANY(%b::text[])
"""
_SOME_SUPPRESSED = "SELECT channel, address FROM tenants_suppression WHERE tenant_id = %s LIMIT %s"
#: a tenant's suppressions are read whole up to here: 10 ms, where looking for 10,000 addresses takes 30
FEW = 10_000

_ORDINARY = Choices()
_NOTHING: frozenset[tuple[str, str]] = frozenset()


@dataclasses.dataclass(frozen=True)
class Crowd:
    """Which recipients, in SQL: `source` names `r` (tenants_recipient), and the rows of one are next to each other in
    `order`. An outer join may leave `r` empty: an entry that is nobody."""

    source: str
    where: str
    order: str
    params: Sequence[Any]


def by_external_ids(tenant_id: uuid.UUID, external_ids: Sequence[str]) -> dict[str, Person]:
    """external_id -> Person; who does not exist is missing."""
    people = _some(tenant_id, "r.external_id = ANY(%b::text[])", list(external_ids))
    return {p.external_id: p for p in people}


def by_ids(tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Person]:
    """id -> Person; who does not exist any more is missing."""
    return {p.id: p for p in _some(tenant_id, "r.id = ANY(%b::uuid[])", list(ids))}


def of(tenant_id: uuid.UUID, crowd: Crowd) -> tuple[list[Person], int]:
    """Everybody of a crowd, and how many of its entries are nobody."""
    with bulk.cursor() as cursor:
        cursor.execute(_SOME_SUPPRESSED, [tenant_id, FEW + 1])
        few = frozenset(cursor.fetchall()) if cursor.rowcount <= FEW else None
    people, nobody = _load(crowd, few or _NOTHING)
    return people if few is not None else _with_suppressions(tenant_id, people), nobody


def _some(tenant_id: uuid.UUID, where: str, wanted: list[Any]) -> list[Person]:
    if not wanted:
        return []
    crowd = Crowd("FROM tenants_recipient r", f"r.tenant_id = %s AND {where}", "r.id", [tenant_id, wanted])
    return _with_suppressions(tenant_id, _load(crowd, _NOTHING)[0])


def _load(crowd: Crowd, suppressed: frozenset[tuple[str, str]]) -> tuple[list[Person], int]:
    people: list[Person] = []
    nobody = 0
    last: uuid.UUID | None = None
    with bulk.cursor() as cursor:
        statement = f"{_COLUMNS} {crowd.source} {_CHOICES_AND_DEVICES} WHERE {crowd.where} ORDER BY {crowd.order}"
        cursor.execute(statement, crowd.params, binary=True)
        for row in cursor.fetchall():
            if row[0] is None:
                nobody += 1
            elif row[0] == last:
                people[-1] = dataclasses.replace(people[-1], devices=(*people[-1].devices, DeviceAddress(*row[14:])))
            else:
                last = row[0]
                people.append(_person(row, suppressed))
    return people, nobody


def _person(row: Sequence[Any], suppressed: frozenset[tuple[str, str]]) -> Person:
    return Person(
        row[0],
        row[1],
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        orjson.loads(row[7]),
        row[8],
        () if row[14] is None else (DeviceAddress(*row[14:]),),
        _ORDINARY if row[9] is None else Choices(frozenset(row[9]), frozenset(row[10]), row[11], row[12], row[13]),
        suppressed,
    )


def _with_suppressions(tenant_id: uuid.UUID, people: list[Person]) -> list[Person]:
    addresses = {a.value for p in people for c in channels().values() for a in c.addresses(p)}
    with bulk.cursor() as cursor:
        cursor.execute(_SUPPRESSED, [tenant_id, sorted(addresses)])
        suppressed = frozenset(cursor.fetchall())
    return _marked(people, suppressed) if suppressed else people


def _marked(people: Iterable[Person], suppressed: frozenset[tuple[str, str]]) -> list[Person]:
    return [dataclasses.replace(p, suppressed=suppressed) for p in people]
