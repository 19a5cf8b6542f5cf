"""Load recipients with everything a plan needs: one query for the people, one for their suppressed addresses."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import psycopg

from notifier.channels import channels
from notifier.delivery.infra import bulk
from notifier.delivery.planning.plan import NO_PREFERENCES
from notifier.vocabulary.people import DeviceAddress, Person, Preferences

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
Cursor = psycopg.Cursor[Any]
#: a tenant's suppressions are read whole up to here: 10 ms, where looking for 10,000 addresses takes 30
FEW = 10_000


@dataclass(frozen=True)
class RecipientQuery:
    """Which recipients, in SQL: `source` names `r` (tenants_recipient), and the rows of one are next to each other in
    `order`. An outer join may leave `r` empty: an entry that is nobody."""

    source: str
    where: str
    order: str
    params: Sequence[Any]


def load_by_external_ids(tenant_id: uuid.UUID, external_ids: Sequence[str]) -> dict[str, Person]:
    """external_id -> Person; who does not exist is missing."""
    with bulk.cursor() as cursor:
        send_query(cursor, tenant_id, external_ids)
        return read_answer(cursor, tenant_id)


def send_query(cursor: Cursor, tenant_id: uuid.UUID, external_ids: Sequence[str]) -> None:
    """The first half of `by_external_ids`, which may travel together with other questions."""
    _ask(cursor, _some(tenant_id, "r.external_id = ANY(%b::text[])", list(external_ids)), prepare=True)


def read_answer(cursor: Cursor, tenant_id: uuid.UUID) -> dict[str, Person]:
    """The second half."""
    return {p.external_id: p for p in _looked_up(tenant_id, cursor.fetchall())[0]}


def load_by_ids(tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Person]:
    """id -> Person; who does not exist any more is missing."""
    rows = _rows(_some(tenant_id, "r.id = ANY(%b::uuid[])", list(ids)), prepare=True)
    return {p.id: p for p in _looked_up(tenant_id, rows)[0]}


def load_by_query(tenant_id: uuid.UUID, crowd: RecipientQuery) -> tuple[list[Person], int]:
    """Everybody of a crowd, and how many of its entries are nobody."""
    with bulk.cursor() as cursor:
        cursor.execute(_SOME_SUPPRESSED, [tenant_id, FEW + 1])
        few = frozenset(cursor.fetchall()) if cursor.rowcount <= FEW else None
    rows = _rows(crowd)
    if few is None:
        return _looked_up(tenant_id, rows)
    return _people(rows, few)


def _some(tenant_id: uuid.UUID, where: str, wanted: list[Any]) -> RecipientQuery:
    return RecipientQuery("FROM tenants_recipient r", f"r.tenant_id = %s AND {where}", "r.id", [tenant_id, wanted])


def _rows(crowd: RecipientQuery, prepare: bool | None = None) -> list[Any]:
    with bulk.cursor() as cursor:
        _ask(cursor, crowd, prepare)
        return cursor.fetchall()


def _ask(cursor: Cursor, crowd: RecipientQuery, prepare: bool | None = None) -> None:
    statement = f"{_COLUMNS} {crowd.source} {_CHOICES_AND_DEVICES} WHERE {crowd.where} ORDER BY {crowd.order}"
    cursor.execute(statement, crowd.params, binary=True, prepare=prepare)


def _looked_up(tenant_id: uuid.UUID, rows: list[Any]) -> tuple[list[Person], int]:
    """The people of these rows, whose suppressed addresses are looked for by address."""
    people, nobody = _people(rows, frozenset())
    addresses = {a.value for p in people for c in channels().values() for a in c.addresses(p)}
    with bulk.cursor() as cursor:
        cursor.execute(_SUPPRESSED, [tenant_id, sorted(addresses)], prepare=True)
        suppressed = frozenset(cursor.fetchall())
    return _people(rows, suppressed) if suppressed else (people, nobody)


def _people(rows: list[Any], suppressed: frozenset[tuple[str, str]]) -> tuple[list[Person], int]:
    people: list[Person] = []
    nobody = 0
    last: uuid.UUID | None = None
    for row in rows:
        if row[0] is None:
            nobody += 1
        elif row[0] == last:
            people[-1] = replace(people[-1], devices=(*people[-1].devices, _device(row)))
        else:
            last = row[0]
            people.append(_person(row, suppressed))
    return people, nobody


# filled directly: a frozen dataclass sets each of its fields by a call, 2.8 µs for these two instead of 1


def _person(row: Sequence[Any], suppressed: frozenset[tuple[str, str]]) -> Person:
    person = object.__new__(Person)
    vars(person).update(
        id=row[0],
        external_id=row[1],
        name=row[2],
        email=row[3],
        phone=row[4],
        locale=row[5],
        timezone=row[6],
        attributes=orjson.loads(row[7]),
        status=row[8],
        devices=() if row[14] is None else (_device(row),),
        preferences=NO_PREFERENCES
        if row[9] is None
        else Preferences(frozenset(row[9]), frozenset(row[10]), row[11], row[12], row[13]),
        suppressed=suppressed,
    )
    return person


def _device(row: Sequence[Any]) -> DeviceAddress:
    device = object.__new__(DeviceAddress)
    vars(device).update(id=row[14], platform=row[15], token=row[16], app=row[17])
    return device
