"""How many recipients an audience has, and a sample of them, within a budget of time: exact while the count is quick,
else an estimate that says so.

Measured with 1 M recipients (docs/audiences.md has the figures).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from django.db import connection

from campaigns.audience.budget import rows_within
from campaigns.audience.queries import matching
from campaigns.models import Audience
from tenants.models import Recipient

#: milliseconds that an exact count may take before it becomes an estimate
COUNT_MS = 800
#: milliseconds for the sample that an estimate is made from
SAMPLE_MS = 1_000
#: milliseconds for counting the tenant's recipients for an estimate
TENANT_MS = 500
#: recipients of the tenant that an estimate looks at
LOOKED_AT = 20_000
#: rows of all tenants that it reads for them at most
MAX_READ = 400_000
#: recipients of the audience that are sampled: for ten examples, and for channels and reasons
SAMPLED = 500
#: an audience of more recipients is sampled from the tenant's recipients, a smaller one from its own
SORTED = 30_000


@dataclass(frozen=True)
class Reach:
    """`people` is None for a topic, and when neither a count nor an estimate came in time. `ids` are sampled at random;
    all of a small audience."""

    people: int | None
    exact: bool = True
    ids: tuple[uuid.UUID, ...] = ()

    @property
    def sampled(self) -> bool:
        """Whether `ids` are fewer than the audience."""
        return self.people is None or len(self.ids) < self.people


def reach_of(audience: Audience, *, sample: int = SAMPLED, ms: int = COUNT_MS) -> Reach:
    """Count the audience and sample `sample` of its recipients. Takes at most `ms`, TENANT_MS and three SAMPLE_MS.
    Raises InvalidInput for a wrong filter."""
    if audience.is_topic:
        return Reach(None)
    sql, params = matching(audience)
    counted = rows_within(ms, f"SELECT count(*) {sql}", params)
    if counted is None:
        return _estimated(audience, sample)
    reach = Reach(int(counted[0][0]))
    if not sample or not reach.people:
        return reach
    return replace(reach, ids=_sampled_ids(audience, reach.people, sample))


def people_of(audience: Audience, *, ms: int = COUNT_MS) -> Reach:
    """The count alone."""
    return reach_of(audience, sample=0, ms=ms)


def _sampled_ids(audience: Audience, people: int, sample: int) -> tuple[uuid.UUID, ...]:
    if audience.source == Audience.Source.LIST:
        return _members(audience, sample)
    hits = _tenant_sample(audience, sample) if people > SORTED else None
    if hits is not None and len(hits.ids) >= sample // 5:
        return hits.ids
    # a mixture of the id's random digits: the same recipients at each look, and none is preferred
    sql, params = matching(audience)
    rows = rows_within(SAMPLE_MS, f"SELECT r.id {sql} ORDER BY md5(r.id::text) LIMIT %s", [*params, sample])
    if rows is None:
        return () if hits is None else hits.ids
    return tuple(pk for (pk,) in rows)


# one entry at each of so many even steps through the list; an entry that is no recipient is left out
_MEMBERS = """
SELECT DISTINCT r.id FROM (
  SELECT min(id) AS low, max(id) - min(id) + 1 AS span FROM campaigns_audiencemember WHERE audience_id = %(list)s) s
CROSS JOIN generate_series(0, %(n)s - 1) step
CROSS JOIN LATERAL (
  SELECT external_id FROM campaigns_audiencemember
  WHERE audience_id = %(list)s AND id >= s.low + s.span * step / %(n)s ORDER BY id LIMIT 1) m
JOIN tenants_recipient r ON r.tenant_id = %(tenant)s AND r.external_id = m.external_id
"""


def _members(audience: Audience, sample: int) -> tuple[uuid.UUID, ...]:
    """Recipients of a list of any size: an index finds each of them."""
    values = {"list": audience.pk, "tenant": audience.tenant_id, "n": sample}
    return tuple(pk for (pk,) in rows_within(SAMPLE_MS, _MEMBERS, values) or ())


@dataclass(frozen=True)
class _Hits:
    """Recipients of the audience among the `looked_at` ones of the tenant in `percent` of the table."""

    percent: float
    looked_at: int
    people: int
    ids: tuple[uuid.UUID, ...]


def _estimated(audience: Audience, sample: int) -> Reach:
    """From the recipients of the audience in a part of the table; of a list, its number of ids."""
    if audience.source == Audience.Source.LIST:
        return Reach(audience.size, exact=False, ids=_members(audience, sample) if sample else ())
    hits = _tenant_sample(audience, sample)
    if hits is None:
        return Reach(None, exact=False)
    return Reach(round(_scaled(audience.tenant_id, hits)), exact=False, ids=hits.ids)


_TENANT = "SELECT count(*) FROM tenants_recipient WHERE tenant_id = %s"


def _scaled(tenant_id: uuid.UUID, hits: _Hits) -> float:
    """The share of the audience times the tenant's recipients, which an index counts (an error of about 1 %); where
    even that takes too long, the part of the table (about 10 %, as the number of blocks of a sample varies)."""
    counted = rows_within(TENANT_MS, _TENANT, [tenant_id])
    if counted is None or not hits.looked_at:
        return hits.people * 100 / hits.percent
    return float(counted[0][0]) * hits.people / hits.looked_at


def _tenant_sample(audience: Audience, sample: int) -> _Hits | None:
    """Look at some LOOKED_AT recipients of the tenant, in blocks of the table chosen at random; at a tenth of them when
    that takes too long, and None when even this does. Not for a list."""
    percent = _percent_of_table(audience.tenant_id)
    return _look_at_part(audience, sample, percent) or _look_at_part(audience, sample, percent / 10)


def _look_at_part(audience: Audience, sample: int, percent: float) -> _Hits | None:
    sql, params = matching(audience)
    condition = sql.partition(" WHERE ")[2]
    statement = f"""
    WITH looked_at AS MATERIALIZED (
      SELECT * FROM tenants_recipient TABLESAMPLE SYSTEM (%s) REPEATABLE (1) WHERE tenant_id = %s
    ), hit AS MATERIALIZED (SELECT r.id FROM looked_at r WHERE {condition})
    SELECT (SELECT count(*) FROM looked_at), (SELECT count(*) FROM hit),
           ARRAY(SELECT id FROM hit ORDER BY md5(id::text) LIMIT %s)"""
    rows = rows_within(SAMPLE_MS, statement, [percent, audience.tenant_id, *params, sample])
    return None if rows is None else _Hits(percent, rows[0][0], rows[0][1], tuple(rows[0][2]))


_ROWS = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'tenants_recipient'::regclass"
_SHARE = "SELECT count(*) FROM tenants_recipient TABLESAMPLE SYSTEM (%s) REPEATABLE (1) WHERE tenant_id = %s"


def _percent_of_table(tenant_id: uuid.UUID) -> float:
    """The part of the table in which some LOOKED_AT rows are the tenant's. The planner's estimate of a tenant's rows
    would not do: with row-level security it is too low by up to ten times."""
    with connection.cursor() as cursor:
        cursor.execute(_ROWS)
        table = max(1, cursor.fetchone()[0])
        first = min(100.0, 100.0 * LOOKED_AT / table)
        cursor.execute(_SHARE, [first, tenant_id])
        own = max(1, cursor.fetchone()[0])
    return float(min(100.0, first * LOOKED_AT / own, 100.0 * MAX_READ / table))


def some_of(audience: Audience, reach: Reach, n: int) -> list[Recipient]:
    """`n` of the sampled recipients."""
    recipients = Recipient.objects.filter(tenant_id=audience.tenant_id).in_bulk(reach.ids[:n])
    return [recipients[pk] for pk in reach.ids[:n] if pk in recipients]
