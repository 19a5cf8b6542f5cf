"""Tables large enough that PostgreSQL has to choose: a tenant with 10,000 rows of everything beside one with a few."""

from __future__ import annotations

import uuid

from django.db import connection

from campaigns.models import Campaign
from notifier.models import ProviderAccount, Template, TemplateVersion
from tenants.models import Tenant

ROWS = 10_000
#: the milliseconds that ids of the campaign begin with; those of single messages come after
ARMED_MS = 1_795_600_000_000
_ID = "(lpad(to_hex({ms}), 12, '0') || '7' || substr(md5('{what}' || n), 1, 19))::uuid"


def many_rows(tenant: Tenant, version: TemplateVersion) -> Campaign:
    """Fill every large table for the tenant; messages are half of a campaign and half single."""
    template = Template.objects.get(pk=version.template_id)
    campaign = Campaign.objects.create(
        tenant=tenant, name="large", template=template, channels=["push"], first_armed_ms=ARMED_MS
    )
    account = ProviderAccount.objects.create(tenant=tenant, name="large", provider="fcm", channel="push")
    for statement in _statements(tenant.pk, version.pk, campaign.pk, account.pk):
        with connection.cursor() as cursor:
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return campaign


def _id(what: str, ms: str = f"{ARMED_MS} + n") -> str:
    return _ID.format(ms=ms, what=what)


PERSON, MESSAGE, SINGLE = _id("person"), _id("campaign", str(ARMED_MS)), _id("single")


def _statements(tenant: uuid.UUID, version: uuid.UUID, campaign: uuid.UUID, account: uuid.UUID) -> list[str]:
    return [
        *_people(tenant),
        *_messages(tenant, version, campaign),
        _rows(tenant, "inbox_feed", "recipient_id, last_seq, unread", f"{PERSON}, 1, 1"),
        _rows(
            tenant,
            "inbox_inboxmessage",
            "id, recipient_id, seq, category, title, body, link, data, created_at",
            f"{SINGLE}, {PERSON}, 1, '', 't', '', '', '{{}}', now()",
        ),
        _rows(
            tenant,
            "notifier_receipt",
            "id, account_id, state, sealed, received_at, due_at, attempts, error",
            f"{_id('receipt')}, '{account}', CASE WHEN n % 2 = 0 THEN 2 ELSE 0 END, '', now(), now(), 0, ''",
        ),
        _rows(
            tenant,
            "notifier_digest",
            "id, recipient_id, category, key, mode, template, channels, max_items, items, opened_at, closes_at,"
            " latest_close, closed_at, failure",
            f"{_id('digest')}, {PERSON}, 'news', '', 'live', 'summary', '{{email}}', 9, 1, now(), now(), now(),"
            " CASE WHEN n % 2 = 0 THEN now() END, ''",
        ),
        _rows(
            tenant,
            "notifier_storedfile",
            "id, digest, name, content_type, size, created_at, used_at, public",
            f"{_id('file')}, 'digest' || n, 'invoice.pdf', 'application/pdf', 1, now(), now(), false",
        ),
        _rows(
            tenant,
            "campaigns_shard",
            "id, campaign_id, number, channel, account_id, size, canary, state, fence, worker, begun, sent, failed,"
            " dead, requeued, skipped, disconnected, accounted, segments, variant",
            f"{_id('shard')}, '{campaign}', n, 'push', '{account}', 1, false, 'done', 0, 'w',"
            " 1, 1, 0, 0, 0, 0, 0, true, 0, ''",
        ),
    ]


def _rows(tenant: uuid.UUID, table: str, columns: str, values: str) -> str:
    return f"INSERT INTO {table} ({columns}, tenant_id) SELECT {values}, '{tenant}' FROM generate_series(1, {ROWS}) n"


def _people(tenant: uuid.UUID) -> list[str]:
    return [
        _rows(
            tenant,
            "tenants_recipient",
            "id, external_id, name, email, phone, locale, timezone, attributes, status, created_at, updated_at",
            f"{PERSON}, 'u' || n, 'Person ' || md5(n::text), n || '@example.com', '+43' || n, 'de', '', '{{}}',"
            " CASE WHEN n % 5000 = 0 THEN 'blocked' ELSE 'active' END, now(), now()",
        ),
        _rows(
            tenant,
            "tenants_device",
            "id, recipient_id, platform, token, app, created_at, last_seen_at",
            f"{_id('device')}, {PERSON}, 'fcm', 'token' || n, '', now(), now()",
        ),
        _rows(
            tenant,
            "tenants_preference",
            "id, recipient_id, channels_off, categories_off, categories_on, preferred_channels, language, updated_at",
            f"{_id('preference')}, {PERSON}, '{{}}', '{{}}', '{{}}', '{{}}', '', now()",
        ),
        _rows(
            tenant,
            "tenants_optinproof",
            "id, recipient_id, category, entries, asked_at, asked_by, asked_with, language, text, text_sha256,"
            " notification_id, confirmed_with",
            f"{_id('proof')}, {PERSON}, 'news', '{{news}}', now(), 'api', '', 'en', 'x', 'x', {_id('proof')}, ''",
        ),
        _rows(
            tenant,
            "tenants_erasure",
            "id, recipient_id, state, removed, requested_at",
            f"{_id('erasure')}, {PERSON}, 'done', '{{}}', now()",
        ),
        _rows(
            tenant,
            "tenants_suppression",
            "id, channel, address, cause, created_at",
            f"{_id('suppression')}, 'push', 'a' || n, 'manual', now()",
        ),
        _rows(tenant, "tenants_auditlog", "action, object_id, detail, at", "'campaign.go', 'o' || n, '{}', now()"),
        _rows(
            tenant,
            "tenants_idempotencykey",
            "id, mode, key, endpoint, body_digest, status, response, created_at",
            f"{_id('key')}, 'live', 'k' || n, 'send', '', 202, '{{}}', now()",
        ),
    ]


def _messages(tenant: uuid.UUID, version: uuid.UUID, campaign: uuid.UUID) -> list[str]:
    """Half of them are a campaign's."""
    status = "CASE WHEN n % 100 = 0 THEN 60 ELSE 40 END"
    delivery = (
        "id, campaign_id, notification_id, recipient_id, channel, address, lane, status, due_at, accepted_at,"
        " category, platform, reason, detail, mode, attempt, fence, seq, queue_position, provider_ref"
    )
    rest = f"{PERSON}, 'push', 'a' || n, 2, {status}, now(), now(), '', 'fcm', '', '', 'live', 1, 0, 0, 0, ''"
    return [
        _rows(
            tenant,
            "notifier_notification",
            "id, recipient_id, version_id, category, mode, lane, data, group_key, created_at",
            f"{SINGLE}, {PERSON}, '{version}', '', 'live', 1, '{{}}', '', now()",
        ),
        _rows(tenant, "notifier_delivery", delivery, f"{MESSAGE}, '{campaign}', NULL, {rest}"),
        _rows(tenant, "notifier_delivery", delivery, f"{SINGLE}, NULL, {SINGLE}, {rest}"),
        _rows(
            tenant,
            "notifier_deliveryevent",
            "id, delivery_id, what, detail, at",
            f"{_id('event')}, {SINGLE}, 'x', '', now()",
        ),
        _rows(
            tenant,
            "notifier_deadletter",
            "id, delivery_id, channel, attempts, last_error, created_at",
            f"{_id('letter')}, {SINGLE}, 'push', 5, '', now()",
        ),
        _rows(
            tenant,
            "notifier_route",
            "id, notification_id, steps, step, due_at",
            f'{_id("route")}, {SINGLE}, \'[{{"channels": ["push"]}}]\', 1, now()',
        ),
        _rows(
            tenant,
            "notifier_orderingqueue",
            "recipient_id, channel, lane, mode, unfinished, turn_taken",
            f"{PERSON}, 'push', 2, 'live', 0, false",
        ),
    ]
