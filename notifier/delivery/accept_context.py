"""The rows that decide the requests of one call: loaded once for all requests."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from notifier.delivery.accounts import registry
from notifier.delivery.infra import bulk
from notifier.delivery.planning import recipients
from notifier.delivery.planning.cap_rules import Cap
from notifier.delivery.planning.plan import When
from notifier.delivery.planning.rule import CategoryRow, Rule, TenantDefaults, rule_of
from notifier.models import ProviderAccount
from notifier.vocabulary.content import TenantRules
from notifier.vocabulary.digests import DigestTerms, read_times
from notifier.vocabulary.people import Address, Person, SendRequest
from notifier.vocabulary.routes import Route, from_json
from notifier.vocabulary.status import Mode
from tenants.models import Tenant


class Version(NamedTuple):
    """The newest version of a template, the key of the template's own category, and its route."""

    id: uuid.UUID
    category: str
    route: Route = ()


@dataclass
class AcceptContext:
    """The tenant, and the rows that the requests name."""

    tenant: Tenant
    now: datetime
    recipients: dict[str, Person]  #: by external_id
    versions: dict[str, Version]  #: by template key
    rules: dict[str, Rule]  #: by category key
    archived: frozenset[str]  #: keys of archived categories that requests name
    #: how categories gather their messages, by category key; `versions` has their templates, too
    digests: dict[str, DigestTerms] = field(default_factory=dict)
    caps: tuple[Cap, ...] = ()  #: all frequency caps of the tenant
    #: (channel, platform, app, mode) -> the accounts among which messages choose; filled as messages ask
    accounts: dict[tuple[str, str, str, Mode], list[ProviderAccount]] = field(default_factory=dict)

    @cached_property
    def when(self) -> When:
        """Of messages that leave now."""
        return When(self.now, self.tenant.timezone)

    @cached_property
    def content_rules(self) -> TenantRules:
        return self.tenant.content_rules

    def account_for(self, channel: str, address: Address, mode: Mode) -> ProviderAccount | None:
        """The account that carries a message; None: there is none. 0.4 µs, and 1 µs for each further account of the
        channel."""
        key = (channel, address.platform, address.app, mode)
        accounts = self.accounts.get(key)
        if accounts is None:
            accounts = self.accounts[key] = registry.usable_accounts(
                self.tenant, channel, address.platform, mode, address.app
            )
        if len(accounts) <= 1:
            return accounts[0] if accounts else None
        return registry.pick_account(accounts)


_TENANT_FIELDS = [
    *("id", "default_locale", "timezone", "sandbox", "link_schemes", "sms_segments", "sms_transliterate"),
    *("opt_in", "send_windows", "quotas"),
]


#: the column of _TENANT after the setting: all caps of the tenant, or NULL; 20 µs of a statement that is made anyway
_CAPS = 1


class _TemplateRow(NamedTuple):
    """The columns of _TENANT after those of the tenant."""

    key: str | None
    version_id: uuid.UUID
    route: str | None  #: JSON
    category: str | None
    kind: str | None
    opt_in: str | None
    preferred_channels: list[str] | None
    digested: bool

    @property
    def stored_category(self) -> CategoryRow:
        """Of a template that has a category."""
        return CategoryRow(self.category or "", self.kind or "", self.opt_in or "", self.preferred_channels or ())


# One row for each template; one row without a template if there is none. The setting ends with the transaction. Without
# it, PostgreSQL would plan a statement with an array again at each execution, because it expects longer arrays than
# those of one recipient; half of the statements of an acceptance have an array
# The join of the digest's setting takes 4 of 91 µs
_TENANT = f"""
SELECT set_config('plan_cache_mode', 'force_generic_plan', true),
  (SELECT jsonb_agg(
     jsonb_build_array(f.id, coalesce(k.key, ''), f.channel, f.most, f.period, f.changed_at) ORDER BY f.id)
   FROM notifier_frequencycap f LEFT JOIN tenants_category k ON k.id = f.category_id WHERE f.tenant_id = n.id),
  {", ".join(f"n.{name}" for name in _TENANT_FIELDS)},
  t.key, v.id, t.route, c.key, c.kind, c.opt_in, c.preferred_channels, g.id IS NOT NULL
FROM tenants_tenant n
LEFT JOIN (notifier_template t
  CROSS JOIN LATERAL (
    SELECT id FROM notifier_templateversion WHERE tenant_id = t.tenant_id AND template_id = t.id
    ORDER BY number DESC LIMIT 1) v
  LEFT JOIN tenants_category c ON c.id = t.category_id
  LEFT JOIN notifier_digestsetting g ON g.category_id = c.id) ON t.tenant_id = n.id AND t.key = ANY(%b::text[])
WHERE n.id = %s
"""
_CATEGORIES = """
SELECT c.key, c.kind, c.opt_in, c.preferred_channels, c.archived_at, g.id IS NOT NULL
FROM tenants_category c LEFT JOIN notifier_digestsetting g ON g.category_id = c.id
WHERE c.tenant_id = %s AND c.key = ANY(%b::text[])
"""
_DIGESTS = """
SELECT c.key, c.over_cap = 'digest', g."window", g.max_window, g.schedule, g.max_items, g.channels, t.key, v.id
FROM tenants_category c JOIN notifier_digestsetting g ON g.category_id = c.id
JOIN notifier_template t ON t.id = g.template_id
CROSS JOIN LATERAL (
  SELECT id FROM notifier_templateversion WHERE tenant_id = t.tenant_id AND template_id = t.id
  ORDER BY number DESC LIMIT 1) v
WHERE c.tenant_id = %s AND c.key = ANY(%b::text[])
"""


def load_context(tenant_id: uuid.UUID, requests: Sequence[SendRequest]) -> AcceptContext:
    """Raises Tenant.DoesNotExist."""
    with bulk.cursor() as tenant_cursor, bulk.cursor() as category_cursor, bulk.cursor() as recipient_cursor:
        category_keys = sorted({request.category for request in requests if request.category})
        with bulk.pipelined():
            digest_templates = {r.digest.template for r in requests if r.digest is not None and r.digest.template}
            template_keys = sorted({request.template for request in requests} | digest_templates)
            tenant_cursor.execute(_TENANT, [template_keys, tenant_id], prepare=True)
            if category_keys:
                category_cursor.execute(_CATEGORIES, [tenant_id, category_keys], prepare=True)
            recipients.send_query(recipient_cursor, tenant_id, sorted({request.recipient for request in requests}))
        rows, category_rows = tenant_cursor.fetchall(), category_cursor.fetchall() if category_keys else []
        people = recipients.read_answer(recipient_cursor, tenant_id)
    if not rows:
        raise Tenant.DoesNotExist
    tenant, templates = _split(rows)
    defaults = TenantDefaults(tenant.opt_in, tenant.send_windows)
    categories = {row[0]: CategoryRow(*row[:4]) for row in category_rows}
    categories |= {row.category: row.stored_category for row in templates if row.category}
    context = AcceptContext(
        tenant,
        datetime.now(UTC),
        people,
        {row.key: _version(row) for row in templates if row.key is not None},
        {key: rule_of(row, defaults) for key, row in categories.items()},
        frozenset(key for key, *_, archived_at, _ in category_rows if archived_at is not None),
        caps=_caps(rows[0][_CAPS]),
    )
    digested = {row.category for row in templates if row.digested and row.category}
    digested |= {key for key, *_, has_digest in category_rows if has_digest}
    if digested:
        _add_digests(context, sorted(digested))
    return context


def _add_digests(context: AcceptContext, categories: list[str]) -> None:
    for key, (terms, version_id) in load_digest_terms(context.tenant.id, categories).items():
        context.digests[key] = terms
        context.versions.setdefault(terms.template, Version(version_id, ""))


def load_digest_terms(tenant_id: uuid.UUID, categories: Sequence[str]) -> dict[str, tuple[DigestTerms, uuid.UUID]]:
    """How those of these categories that gather messages do it, by key, and the newest version of the template."""
    with bulk.cursor() as cursor:
        cursor.execute(_DIGESTS, [tenant_id, list(categories)], prepare=True)
        return dict(map(_digest_terms, cursor.fetchall()))


def _digest_terms(row: Sequence[Any]) -> tuple[str, tuple[DigestTerms, uuid.UUID]]:
    key, over_cap, window, longest, schedule, max_items, channels, template, version_id = row
    times = read_times(window, longest, schedule)
    return key, (DigestTerms(template, *times, max_items, tuple(channels), over_cap), version_id)


def _version(row: _TemplateRow) -> Version:
    # most templates have no route: 0.1 µs
    route = () if row.route is None else from_json(orjson.loads(row.route))
    return Version(row.version_id, row.category or "", route)


def _split(rows: Sequence[Sequence[object]]) -> tuple[Tenant, list[_TemplateRow]]:
    """The tenant of the first row, and the template of each row that has one."""
    end = _CAPS + 1 + len(_TENANT_FIELDS)
    tenant = Tenant.from_db(None, _TENANT_FIELDS, rows[0][_CAPS + 1 : end])
    templates = [_TemplateRow._make(row[end:]) for row in rows]
    return tenant, [row for row in templates if row.key is not None]


def _caps(stored: str | None) -> tuple[Cap, ...]:
    return tuple(
        Cap(uuid.UUID(pk), key, channel, most, period, datetime.fromisoformat(changed_at))
        for pk, key, channel, most, period, changed_at in orjson.loads(stored or "[]")
    )
