"""Tables large enough that PostgreSQL has to choose: a tenant with 10,000 rows of everything beside one with a few."""

from __future__ import annotations

import uuid

from django.db import connection

from campaigns.models import Campaign
from notifier.models import ProviderAccount, Template, TemplateVersion
from tenants.models import Tenant

ROWS = 10_000
#: the milliseconds that ids of the crowd's campaign begin with; those of single messages come after
ARMED_MS = 1_795_600_000_000
_ID = "(lpad(to_hex({ms}), 12, '0') || '7' || substr(md5('{what}' || n), 1, 19))::uuid"


def crowd(tenant: Tenant, version: TemplateVersion) -> Campaign:
    """Fill every large table for the tenant; messages are half of a campaign and half single."""
    template = Template.objects.get(pk=version.template_id)
    campaign = Campaign.objects.create(
        tenant=tenant, name="crowd", template=template, channels=["push"], first_armed_ms=ARMED_MS
    )
    account = ProviderAccount.objects.create(tenant=tenant, name="crowd", provider="fcm", channel="push")
    for statement in _statements(tenant.pk, version.pk, campaign.pk, account.pk):
        with connection.cursor() as cursor:
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return campaign


def _id(what: str, ms: str = f"{ARMED_MS} + n") -> str:
    return _ID.format(ms=ms, what=what)


def _statements(tenant: uuid.UUID, version: uuid.UUID, campaign: uuid.UUID, account: uuid.UUID) -> list[str]:
    def rows(table: str, columns: str, values: str, count: int = ROWS) -> str:
        return (
            f"INSERT INTO {table} ({columns}, tenant_id) SELECT {values}, '{tenant}' FROM generate_series(1, {count}) n"
        )

    person, message, single = _id("person"), _id("campaign", str(ARMED_MS)), _id("single")
    status = "CASE WHEN n % 100 = 0 THEN 60 ELSE 40 END"
    delivery = (
        "id, campaign_id, notification_id, recipient_id, channel, address, lane, status, due_at, accepted_at,"
        " category, platform, reason, detail, mode, attempt, fence, seq, place, provider_ref"
    )
    rest = f"{person}, 'push', 'a' || n, 2, {status}, now(), now(), '', 'fcm', '', '', 'live', 1, 0, 0, 0, ''"
    return [
        rows(
            "tenants_recipient",
            "id, external_id, name, email, phone, locale, timezone, attributes, status, created_at, updated_at",
            f"{person}, 'u' || n, 'Person ' || md5(n::text), n || '@example.com', '+43' || n, 'de', '', '{{}}',"
            " CASE WHEN n % 5000 = 0 THEN 'blocked' ELSE 'active' END, now(), now()",
        ),
        rows(
            "tenants_device",
            "id, recipient_id, platform, token, app, created_at, last_seen_at",
            f"{_id('device')}, {person}, 'fcm', 'token' || n, '', now(), now()",
        ),
        rows(
            "tenants_preference",
            "id, recipient_id, channels_off, categories_off, language, updated_at",
            f"{_id('preference')}, {person}, '{{}}', '{{}}', '', now()",
        ),
        rows(
            "tenants_suppression",
            "id, channel, address, cause, created_at",
            f"{_id('suppression')}, 'push', 'a' || n, 'manual', now()",
        ),
        rows("tenants_auditlog", "action, object_id, detail, at", "'campaign.go', 'o' || n, '{}', now()"),
        rows(
            "tenants_idempotencykey",
            "id, mode, key, endpoint, body_digest, status, response, created_at",
            f"{_id('key')}, 'live', 'k' || n, 'send', '', 202, '{{}}', now()",
        ),
        rows(
            "notifier_notification",
            "id, recipient_id, version_id, category, mode, lane, data, created_at",
            f"{single}, {person}, '{version}', '', 'live', 1, '{{}}', now()",
        ),
        rows("notifier_delivery", delivery, f"{message}, '{campaign}', NULL, {rest}"),
        rows("notifier_delivery", delivery, f"{single}, NULL, {single}, {rest}"),
        rows(
            "notifier_deliveryevent", "id, delivery_id, what, detail, at", f"{_id('event')}, {single}, 'x', '', now()"
        ),
        rows(
            "notifier_deadletter",
            "id, delivery_id, channel, attempts, last_error, created_at",
            f"{_id('letter')}, {single}, 'push', 5, '', now()",
        ),
        rows(
            "notifier_line",
            "recipient_id, channel, lane, mode, unfinished, held",
            f"{person}, 'push', 2, 'live', 0, false",
        ),
        rows("inbox_feed", "recipient_id, last_seq, unread", f"{person}, 1, 1"),
        rows(
            "inbox_inboxmessage",
            "id, recipient_id, seq, category, title, body, link, data, created_at",
            f"{single}, {person}, 1, '', 't', '', '', '{{}}', now()",
        ),
        rows(
            "campaigns_shard",
            "id, campaign_id, number, channel, account_id, size, canary, state, fence, worker, begun, sent, failed,"
            " dead, handed, excused, cut, accounted",
            f"{_id('shard')}, '{campaign}', n, 'push', '{account}', 1, false, 'done', 0, 'w',"
            " 1, 1, 0, 0, 0, 0, 0, true",
        ),
    ]
