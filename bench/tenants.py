"""A tenant with its recipients, one FCM device each, and its templates."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg

from notifier.demo.client import Client

TITLE, BODY = "Hi {{ recipient.name }}", "Five seconds. One lesson. Keep your streak alive, the owl is watching you."
_PARAGRAPH = "<p style='margin:0 0 16px;line-height:1.5'>" + "An owl is patient, and a streak is short. " * 8 + "</p>\n"
_GREETING = "<h1 style='font-size:24px'>Your week, {{ recipient.name }}</h1>\n"
#: 5 kB
NEWSLETTER = f"<html><body style='font-family:sans-serif'>\n{_GREETING}{_PARAGRAPH * 13}</body></html>\n"
TEMPLATES = {
    "big-game": {"category": "promotions", "content": {"push": {"en": {"title": TITLE, "body": BODY}}}},
    "newsletter": {
        "category": "promotions",
        "content": {"email": {"en": {"subject": "News for {{ recipient.name }}", "html": NEWSLETTER}}},
    },
    "order-shipped": {
        "category": "order-updates",
        "content": {"push": {"en": {"title": "On its way", "body": "Order {{ order }} left our warehouse."}}},
    },
}

# ids are ordered by time, as an import's are; a token has the length of FCM's tokens (155 characters)
_RECIPIENTS = """
INSERT INTO tenants_recipient
  (id, tenant_id, external_id, name, email, phone, locale, timezone, attributes, status, created_at, updated_at)
SELECT (lpad(to_hex(%(ms)s + n / 1000), 12, '0') || '7' || lpad(to_hex(n %% 1000), 3, '0') || '8'
        || substr(md5(random()::text), 1, 15))::uuid,
       %(tenant)s, 'user-' || n, 'Person ' || n, 'user-' || n || '@bench.example', '', 'en', '', '{}', 'active',
       now(), now()
FROM generate_series(0, %(count)s - 1) n
"""
_DEVICES = """
INSERT INTO tenants_device (id, tenant_id, recipient_id, platform, token, app, created_at, last_seen_at)
SELECT gen_random_uuid(), tenant_id, id, 'fcm',
       left(md5(text || 'a'), 22) || ':APA91b' || md5(text || 'b') || md5(text || 'c') || md5(text || 'd')
       || left(md5(text || 'e'), 30),
       '', now(), now()
FROM (SELECT tenant_id, id::text AS text, id FROM tenants_recipient WHERE tenant_id = %(tenant)s ORDER BY id) r
"""


@dataclass(frozen=True)
class BenchTenant:
    """A tenant with `size` recipients, and its API client. `audience`: the id of the audience of all recipients."""

    tenant_id: str
    size: int
    api: Client
    audience: str


def fill_tenant(database: psycopg.Connection[Any], tenant_id: str, api: Client, size: int) -> BenchTenant:
    """Give a new tenant `size` recipients, the templates and an audience of all recipients."""
    values = {"tenant": tenant_id, "count": size, "ms": int(time.time() * 1000) - size // 1000 - 1}
    database.execute(_RECIPIENTS, values)
    database.execute(_DEVICES, values)
    database.execute("ANALYZE tenants_recipient, tenants_device")
    for key, template in TEMPLATES.items():
        api.put(f"/v1/templates/{key}", template)
    audience = api.post("/v1/audiences", {"name": "everybody", "source": "everybody"})
    return BenchTenant(tenant_id, size, api, audience["id"])
