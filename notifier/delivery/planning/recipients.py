"""Load recipients with everything a plan needs: recipients, preferences, devices and suppressed addresses."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import orjson
import psycopg

from notifier.channels import channels
from notifier.delivery.infra import bulk
from notifier.delivery.infra.pg_arrays import pack
from notifier.delivery.planning.plan import NO_PREFERENCES
from notifier.vocabulary.people import DeviceAddress, Person, Preferences

# ---- statements ----------------------------------------------------------------------------------------------------

_ALL_COLUMNS = [
    *(
        # the phone's zone counts before the recipient's own
        "coalesce(nullif(r.device_timezone, ''), r.timezone)" if name == "timezone" else f"r.{name}"
        for name in Person._fields[: Person._fields.index("attributes")]
    ),
    "r.attributes::text",
    *(f"p.{field.name}" for field in fields(Preferences)),
    *(f"d.{name}" for name in DeviceAddress._fields),
]
_COLUMNS = ", ".join(_ALL_COLUMNS)
# where the fields of each begin and end
_ATTRIBUTES = _ALL_COLUMNS.index("r.attributes::text")
_CHANNELS_OFF = _ALL_COLUMNS.index("p.channels_off")
_DEVICE_ID = _ALL_COLUMNS.index("d.id")
_PERSON, _OWN_PREFERENCES = slice(_ATTRIBUTES), slice(_CHANNELS_OFF, _DEVICE_ID)
_SUPPRESSIONS = len(_ALL_COLUMNS)  #: the column after those, of statements that read it
_DEVICE = slice(_DEVICE_ID, _SUPPRESSIONS)

# nested queries, because PostgreSQL may plan a join as a scan of all devices: for 10,000 recipients among 300,000 this
# took both cores
_PREFERENCES = """
LEFT JOIN LATERAL (
  SELECT channels_off, categories_off, categories_on, nullif(preferred_channels, '{}')::text AS preferred_channels,
         everything_off, snoozed_until, extract(epoch FROM quiet_from)::int / 60 AS quiet_from,
         extract(epoch FROM quiet_until)::int / 60 AS quiet_until, language
  FROM tenants_preference WHERE recipient_id = r.id OFFSET 0) p ON true
"""
_DEVICES = """
LEFT JOIN LATERAL (
  SELECT id, platform, token, app FROM tenants_device
  WHERE recipient_id = r.id AND dead_since IS NULL {order}) d ON true
"""
# the suppressed ones of the addresses of a row, each after its channel; NULL for almost every row. By channel and
# address, the columns of the index: by address alone PostgreSQL before 18 reads all suppressions of the tenant
_SUPPRESSED_OF_ROW = """
(SELECT array_agg(s.channel || ' ' || s.address) FROM (VALUES {addresses}) a (channel, address)
 JOIN tenants_suppression s ON s.tenant_id = r.tenant_id AND s.channel = a.channel AND s.address = a.address)
"""

_SUPPRESSED = """
SELECT channel, address FROM tenants_suppression WHERE tenant_id = %s AND address = ANY(%b::text[])
"""
_SOME_SUPPRESSED = "SELECT channel, address FROM tenants_suppression WHERE tenant_id = %s LIMIT %s"
Cursor = psycopg.Cursor[Any]
#: a tenant's suppressions are read whole up to this number: 10 ms, where looking up 10,000 addresses takes 30
FEW = 10_000


@dataclass(frozen=True)
class RecipientQuery:
    """Which recipients, in SQL: `source` names `r` (tenants_recipient), and the rows of one recipient are next to each
    other in `order`. An outer join may leave `r` empty: an entry of a list that names no recipient."""

    source: str
    where: str
    order: str
    params: Sequence[Any]


# ---- loading -------------------------------------------------------------------------------------------------------


def load_by_external_ids(tenant_id: uuid.UUID, external_ids: Sequence[str]) -> dict[str, Person]:
    """external_id -> Person; an id that names no recipient is missing."""
    with bulk.cursor() as cursor:
        send_query(cursor, tenant_id, external_ids)
        return read_answer(cursor, tenant_id)


def send_query(cursor: Cursor, tenant_id: uuid.UUID, external_ids: Sequence[str]) -> None:
    """The first half of `load_by_external_ids`, which may travel in a pipeline with other queries."""
    cursor.execute(_by("r.external_id = ANY(%b::text[])"), [tenant_id, pack("text", external_ids)], **_PREPARED)


def read_answer(cursor: Cursor, tenant_id: uuid.UUID) -> dict[str, Person]:
    """The second half."""
    return {person.external_id: person for person in _read_people(tenant_id, cursor.fetchall())}


def load_by_ids(tenant_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Person]:
    """id -> Person; the id of a deleted recipient is missing."""
    with bulk.cursor() as cursor:
        cursor.execute(_by("r.id = ANY(%b::uuid[])"), [tenant_id, pack("uuid", ids)], **_PREPARED)
        return {person.id: person for person in _read_people(tenant_id, cursor.fetchall())}


def load_by_query(tenant_id: uuid.UUID, query: RecipientQuery) -> tuple[list[Person], int]:
    """The recipients of a query, and the number of its entries that name no recipient."""
    with bulk.cursor() as cursor:
        cursor.execute(_SOME_SUPPRESSED, [tenant_id, FEW + 1])
        few = frozenset(cursor.fetchall()) if cursor.rowcount <= FEW else None
    rows = _rows(query)
    if few is None:
        return _with_suppressions(tenant_id, rows)
    return _people(rows, few)


_PREPARED: Mapping[str, bool] = {"binary": True, "prepare": True}


@cache
def _by(where: str) -> str:
    """The statement that reads the recipients of a tenant that a condition names. One sort orders recipients and
    devices: a sort of each recipient's devices takes 1 µs a recipient."""
    suppressions = f", {_suppressions_column()}" if _suppressions_column() else ""
    return (
        f"SELECT {_COLUMNS}{suppressions} FROM tenants_recipient r {_PREFERENCES} {_DEVICES.format(order='OFFSET 0')}"
        f" WHERE r.tenant_id = %s AND {where} ORDER BY r.id, d.id"
    )


@cache
def _suppressions_column() -> str:
    """SQL of the column _SUPPRESSIONS; empty when a channel cannot say in SQL where its addresses are."""
    addresses = {name: kind.address_sql for name, kind in channels().items()}
    if not all(addresses.values()):
        return ""
    return _SUPPRESSED_OF_ROW.format(addresses=", ".join(f"('{name}', {sql})" for name, sql in addresses.items()))


def _rows(query: RecipientQuery) -> list[Any]:
    devices = _DEVICES.format(order="ORDER BY id")
    statement = f"SELECT {_COLUMNS} {query.source} {_PREFERENCES} {devices} WHERE {query.where} ORDER BY {query.order}"
    with bulk.cursor() as cursor:
        cursor.execute(statement, query.params, binary=True)
        return cursor.fetchall()


def _read_people(tenant_id: uuid.UUID, rows: list[Any]) -> list[Person]:
    """The recipients of the rows of a statement `_by`."""
    if not _suppressions_column():
        return _with_suppressions(tenant_id, rows)[0]
    suppressed = {tuple(text.split(" ", 1)) for row in rows if row[_SUPPRESSIONS] for text in row[_SUPPRESSIONS]}
    return _people(rows, frozenset(suppressed))[0]


def _with_suppressions(tenant_id: uuid.UUID, rows: list[Any]) -> tuple[list[Person], int]:
    """The recipients of these rows; their suppressed addresses are looked up by address."""
    people, unknown = _people(rows, frozenset())
    addresses = {address.value for p in people for c in channels().values() for address in c.addresses(p)}
    with bulk.cursor() as cursor:
        cursor.execute(_SUPPRESSED, [tenant_id, sorted(addresses)], prepare=True)
        suppressed = frozenset(cursor.fetchall())
    return _people(rows, suppressed) if suppressed else (people, unknown)


# ---- rows ----------------------------------------------------------------------------------------------------------


def _people(rows: list[Any], suppressed: frozenset[tuple[str, str]]) -> tuple[list[Person], int]:
    people: list[Person] = []
    unknown = 0
    last: uuid.UUID | None = None
    for row in rows:
        recipient_id = row[0]
        if recipient_id is None:
            unknown += 1
        elif recipient_id == last:
            people[-1] = people[-1]._replace(devices=(*people[-1].devices, _device(row)))
        else:
            last = recipient_id
            people.append(_person(row, suppressed))
    return people, unknown


def _person(row: Sequence[Any], suppressed: frozenset[tuple[str, str]]) -> Person:
    """The recipient of one row. By slices a row costs 1.2 µs; by numbers it cost 1.6."""
    devices = () if row[_DEVICE_ID] is None else (_device(row),)
    preferences = NO_PREFERENCES if row[_CHANNELS_OFF] is None else _preferences(row)
    return Person._make((*row[_PERSON], orjson.loads(row[_ATTRIBUTES]), devices, preferences, suppressed))


def _preferences(row: Sequence[Any]) -> Preferences:
    channels_off, categories_off, categories_on, preferred, *values = row[_OWN_PREFERENCES]
    return Preferences(
        frozenset(channels_off),
        frozenset(categories_off),
        frozenset(categories_on),
        {} if preferred is None else orjson.loads(preferred),
        *values,
    )


def _device(row: Sequence[Any]) -> DeviceAddress:
    return DeviceAddress(*row[_DEVICE])
