"""What the requests of one call are decided against, loaded once for all of them in two round trips."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from notifier.delivery import bulk, people
from notifier.delivery.plan import Rule
from notifier.vocabulary import Kind, Person, SendRequest
from tenants.models import Tenant


class Version(NamedTuple):
    """The newest version of a template, and the key of the template's own category."""

    id: uuid.UUID
    category: str


@dataclass
class World:
    tenant: Tenant
    now: datetime
    people: dict[str, Person]
    versions: dict[str, Version]  #: by template key
    rules: dict[str, Rule]


_FIELDS = ["id", "default_locale", "timezone", "sandbox"]
_TENANT = f"SELECT {', '.join(_FIELDS)} FROM tenants_tenant WHERE id = %s"

_VERSIONS = """
SELECT t.key, v.id, coalesce(c.key, ''), c.kind FROM notifier_template t
CROSS JOIN LATERAL (
  SELECT id FROM notifier_templateversion WHERE tenant_id = t.tenant_id AND template_id = t.id
  ORDER BY number DESC LIMIT 1) v
LEFT JOIN tenants_category c ON c.id = t.category_id
WHERE t.tenant_id = %s AND t.key = ANY(%b::text[])
"""
_CATEGORIES = "SELECT key, kind FROM tenants_category WHERE tenant_id = %s AND key = ANY(%b::text[])"


def load(tenant_id: uuid.UUID, requests: Sequence[SendRequest]) -> World:
    """Raises Tenant.DoesNotExist."""
    with bulk.pipelined(), bulk.cursor() as tenants, bulk.cursor() as versions, bulk.cursor() as categories:
        tenants.execute(_TENANT, [tenant_id], prepare=True)
        versions.execute(_VERSIONS, [tenant_id, sorted({r.template for r in requests})], prepare=True)
        if named := sorted({r.category for r in requests if r.category}):
            categories.execute(_CATEGORIES, [tenant_id, named], prepare=True)
        # the first answer that is asked for: the questions before it travel with this one
        found = people.by_external_ids(tenant_id, sorted({r.recipient for r in requests}))
        tenant, newest = tenants.fetchone(), versions.fetchall()
        kinds = dict(categories.fetchall() if named else [])
    if tenant is None:
        raise Tenant.DoesNotExist
    kinds |= {category: kind for _, _, category, kind in newest if category}
    return World(
        Tenant.from_db(None, _FIELDS, tenant),
        datetime.now(UTC),
        found,
        {key: Version(version_id, category) for key, version_id, category, _ in newest},
        {key: Rule(key, Kind(kind)) for key, kind in kinds.items()},
    )
