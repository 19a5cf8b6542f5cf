"""What the requests of one call are decided against, loaded once for all of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from notifier.delivery.infra import bulk
from notifier.delivery.planning import recipients
from notifier.delivery.planning.plan import Rule
from notifier.vocabulary.people import Person, SendRequest
from notifier.vocabulary.status import Kind
from tenants.models import Tenant


class Version(NamedTuple):
    """The newest version of a template, and the key of the template's own category."""

    id: uuid.UUID
    category: str


@dataclass
class AcceptContext:
    tenant: Tenant
    now: datetime
    recipients: dict[str, Person]
    versions: dict[str, Version]  #: by template key
    rules: dict[str, Rule]
    archived: frozenset[str]  #: of the categories that requests name


_FIELDS = ["id", "default_locale", "timezone", "sandbox", "link_schemes"]
# a row for each template, one if there is none. The setting ends with the transaction: for one recipient PostgreSQL
# would plan anew, each time, what takes an array and expects more of it; half of the statements of an acceptance
_TENANT = f"""
SELECT {", ".join(f"n.{name}" for name in _FIELDS)}, set_config('plan_cache_mode', 'force_generic_plan', true),
  t.key, v.id, c.key, c.kind
FROM tenants_tenant n
LEFT JOIN (notifier_template t
  CROSS JOIN LATERAL (
    SELECT id FROM notifier_templateversion WHERE tenant_id = t.tenant_id AND template_id = t.id
    ORDER BY number DESC LIMIT 1) v
  LEFT JOIN tenants_category c ON c.id = t.category_id) ON t.tenant_id = n.id AND t.key = ANY(%b::text[])
WHERE n.id = %s
"""
_CATEGORIES = "SELECT key, kind, archived_at FROM tenants_category WHERE tenant_id = %s AND key = ANY(%b::text[])"


def load(tenant_id: uuid.UUID, requests: Sequence[SendRequest]) -> AcceptContext:
    """Raises Tenant.DoesNotExist."""
    with bulk.cursor() as about, bulk.cursor() as categories, bulk.cursor() as persons:
        named = sorted({r.category for r in requests if r.category})
        with bulk.pipelined():
            about.execute(_TENANT, [sorted({r.template for r in requests}), tenant_id], prepare=True)
            if named:
                categories.execute(_CATEGORIES, [tenant_id, named], prepare=True)
            recipients.send_query(persons, tenant_id, sorted({r.recipient for r in requests}))
        rows, asked = about.fetchall(), categories.fetchall() if named else []
        found = recipients.read_answer(persons, tenant_id)
    if not rows:
        raise Tenant.DoesNotExist
    newest = [row[-4:] for row in rows if row[-4] is not None]
    kinds = {key: kind for key, kind, _ in asked}
    kinds |= {category: kind for _, _, category, kind in newest if category}
    return AcceptContext(
        Tenant.from_db(None, _FIELDS, rows[0][: len(_FIELDS)]),
        datetime.now(UTC),
        found,
        {key: Version(version_id, category or "") for key, version_id, category, _ in newest},
        {key: Rule(key, Kind(kind)) for key, kind in kinds.items()},
        frozenset(key for key, _, archived_at in asked if archived_at is not None),
    )
