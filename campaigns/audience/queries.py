"""Queries over an audience of any kind: its key ranges, the recipients of one range, a count and a sample.

A range is given by keys (keyset pagination), so that no range costs more than the first.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection

from campaigns.audience import segments
from campaigns.audience.references import check_references
from campaigns.audience.topics import describe_topic
from campaigns.models import Audience, Campaign
from notifier.delivery.planning.recipients import RecipientQuery
from tenants.models import Recipient


@dataclass(frozen=True)
class KeyRange:
    """Entries after `after` up to and with `until`: recipient ids of a segment, member ids of a list."""

    after: str
    until: str
    entries: int


class _RangeEnd(NamedTuple):
    """The last entry of a range: its key, and its number from 1 on."""

    key: str
    number: int


class _Entries(NamedTuple):
    """The entries of an audience: their key column, FROM and WHERE, and the parameters."""

    key: str
    sql: str
    params: list[Any]


#: before every recipient's id, and before every member's
_BEFORE_RECIPIENTS, _BEFORE_MEMBERS = "00000000-0000-0000-0000-000000000000", "0"


def key_ranges(audience: Audience, size: int) -> Iterator[KeyRange]:
    """The whole audience as it is now, in ranges of `size` entries: one query. A topic is one range without entries."""
    if audience.is_topic:
        yield KeyRange(_BEFORE_MEMBERS, _BEFORE_MEMBERS, 0)
        return
    key, sql, params = _entries(audience)
    last = f"lead({key}) OVER (ORDER BY {key}) IS NULL"
    numbered = f"SELECT {key}::text AS key, row_number() OVER (ORDER BY {key}) AS n, {last} AS last {sql}"
    rows = _rows(f"SELECT key, n FROM ({numbered}) e WHERE n %% %s = 0 OR last ORDER BY n", [*params, size])
    after, before = _BEFORE_MEMBERS if _is_list(audience) else _BEFORE_RECIPIENTS, 0
    for end in map(_RangeEnd._make, rows):
        yield KeyRange(after, end.key, end.number - before)
        after, before = end


def recipient_query(audience: Audience, after: str, until: str) -> RecipientQuery:
    """The recipients of one range. An entry of a list that is no recipient of this tenant is a row without a
    recipient."""
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


def count_recipients(audience: Audience) -> int | None:
    """How many recipients the audience has now, without the entries of a list that are no recipients of this tenant.
    None for a topic, whose devices only Google knows."""
    return None if audience.is_topic else _count(audience)


def contains(audience: Audience, recipient: Recipient) -> bool:
    """Whether the audience has the recipient now. Not for a topic."""
    sql, params = matching(audience)
    ((found,),) = _rows(f"SELECT EXISTS (SELECT {sql} AND r.id = %s)", [*params, recipient.pk])
    return bool(found)


def segment(tenant_id: uuid.UUID, filter_: object) -> Audience:
    """A segment of the tenant that is not stored, for a filter that is being written. Raises InvalidInput for a wrong
    filter."""
    check_references(tenant_id, segments.check_filter(filter_))
    return Audience(tenant_id=tenant_id, source=Audience.Source.SEGMENT, filter=filter_)


def _count(audience: Audience) -> int:
    sql, params = matching(audience)
    ((count,),) = _rows(f"SELECT count(*) {sql}", params)
    return int(count)


def sample_recipients(audience: Audience, n: int) -> list[Recipient]:
    """The first `n` recipients of the audience; none of a topic."""
    if audience.is_topic:
        return []
    sql, params = matching(audience)
    order = "m.id" if _is_list(audience) else "r.id"
    ids = [pk for (pk,) in _rows(f"SELECT r.id {sql} ORDER BY {order} LIMIT %s", [*params, n])]
    recipients = Recipient.objects.filter(tenant_id=audience.tenant_id).in_bulk(ids)
    return [recipients[pk] for pk in ids if pk in recipients]


def topic_of(campaign: Campaign) -> str:
    """The campaign's topic in words, such as "the topic news"; empty where its audience are recipients."""
    return describe_topic(campaign.audience.topic) if campaign.audience and campaign.audience.is_topic else ""


def matching(audience: Audience) -> tuple[str, list[Any]]:
    """FROM and WHERE of the recipients in an audience; `r` is tenants_recipient. Not for a topic."""
    if not _is_list(audience):
        return _recipients(audience)
    return (
        "FROM campaigns_audiencemember m JOIN tenants_recipient r"
        " ON r.tenant_id = m.tenant_id AND r.external_id = m.external_id"
        " WHERE m.tenant_id = %s AND m.audience_id = %s",
        [audience.tenant_id, audience.id],
    )


def _entries(audience: Audience) -> _Entries:
    """The entries that ranges consist of. Those of a list need no look at the recipients."""
    if not _is_list(audience):
        return _Entries("r.id", *_recipients(audience))
    where = "WHERE m.tenant_id = %s AND m.audience_id = %s"
    return _Entries("m.id", f"FROM campaigns_audiencemember m {where}", [audience.tenant_id, audience.pk])


def _is_list(audience: Audience) -> bool:
    return audience.source == Audience.Source.LIST


def _conditions(audience: Audience) -> segments.Sql:
    """The conditions on recipients. Refuses a segment without conditions: no stored row may mean all recipients by
    accident."""
    if audience.source == Audience.Source.EVERYBODY:
        return "", []
    return segments.compile_filter(segments.check_filter(audience.filter))


def _recipients(audience: Audience) -> tuple[str, list[Any]]:
    where, params = _conditions(audience)
    return f"FROM tenants_recipient r WHERE r.tenant_id = %s{where}", [audience.tenant_id, *params]


def _rows(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
