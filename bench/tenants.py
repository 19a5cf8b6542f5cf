"""A tenant with its recipients, one device each, and its templates."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notifier.demo.client import Client

TITLE, BODY = "Hi {{ recipient.name }}", "Five seconds. One lesson. Keep your streak alive, the owl is watching you."
_PARAGRAPH = "<p style='margin:0 0 16px;line-height:1.5'>" + "An owl is patient, and a streak is short. " * 8 + "</p>\n"
_GREETING = "<h1 style='font-size:24px'>Your week, {{ recipient.name }}</h1>\n"
#: 5 kB
NEWSLETTER = f"<html><body style='font-family:sans-serif'>\n{_GREETING}{_PARAGRAPH * 13}</body></html>\n"
#: what each marketing mail has besides; the mails of other clients do without
_OPT_OUT = "<p><a href='{{ unsubscribe_url }}'>Unsubscribe</a></p></body>"
_MAIL = {"subject": "News for {{ recipient.name }}", "html": NEWSLETTER.replace("</body>", _OPT_OUT)}
TEMPLATES = {
    "big-game": {"category": "promotions", "content": {"push": {"en": {"title": TITLE, "body": BODY}}}},
    "newsletter": {
        "category": "promotions",
        "content": {
            "email": {
                "en": {
                    "subject": "News for {{ recipient.name }}",
                    "html": NEWSLETTER.replace("</body>", f"{_OPT_OUT}</body>"),
                }
            }
        },
    },
    "order-shipped": {
        "category": "order-updates",
        "content": {"push": {"en": {"title": "On its way", "body": "Order {{ order }} left our warehouse."}}},
    },
    "one-time-code": {
        "category": "security",
        "content": {"push": {"en": {"title": "Your code", "body": "Your code is {{ order }}."}}},
    },
}

WEB_PUSH_HOST, WEB_PUSH_PATH = "updates.push.services.mozilla.com", "/wpush/v2/bench"
_AUTH = "translate(encode(decode(md5(text), 'hex'), 'base64'), '+/=', '-_')"
#: platform -> the token of a recipient, in SQL. FCM's tokens have 155 characters, those of APNs 64 hexadecimal digits.
#: Subscriptions of one service differ in their secrets; one key for all costs as much as a key each
_TOKENS = {
    "fcm": "left(md5(text || 'a'), 22) || ':APA91b' || md5(text || 'b') || md5(text || 'c') || md5(text || 'd')"
    " || left(md5(text || 'e'), 30)",
    "apns": "md5(text || 'a') || md5(text || 'b')",
    "webpush": f"'https://{WEB_PUSH_HOST}{WEB_PUSH_PATH}#' || %(browser_key)s || '.' || {_AUTH}",
}

# ids are ordered by time, as an import's are
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
SELECT gen_random_uuid(), tenant_id, id, %(platform)s, {token}, '', now(), now()
FROM (SELECT tenant_id, id::text AS text, id FROM tenants_recipient WHERE tenant_id = %(tenant)s ORDER BY id) r
"""


@dataclass(frozen=True)
class BenchTenant:
    """A tenant with `size` recipients, and its API client. `audience`: the id of the audience of all recipients."""

    tenant_id: str
    size: int
    api: Client
    audience: str


def fill_tenant(
    database: psycopg.Connection[Any], tenant_id: str, api: Client, size: int, platform: str = "fcm"
) -> BenchTenant:
    """Give a new tenant `size` recipients with a device of the platform each, the templates and an audience of all
    recipients."""
    values = {"tenant": tenant_id, "count": size, "ms": int(time.time() * 1000) - size // 1000 - 1}
    database.execute(_RECIPIENTS, values)
    devices = _DEVICES.format(token=_TOKENS[platform])
    database.execute(devices, {**values, "platform": platform, "browser_key": _browser_key()})
    database.execute("ANALYZE tenants_recipient, tenants_device")
    for key, template in TEMPLATES.items():
        api.put(f"/v1/templates/{key}", template)
    audience = api.post("/v1/audiences", {"name": "everybody", "source": "everybody"})
    return BenchTenant(tenant_id, size, api, audience["id"])


def tokens_of(database: psycopg.Connection[Any], tenant: BenchTenant) -> list[str]:
    """The tokens of the tenant's devices."""
    rows = database.execute("SELECT token FROM tenants_device WHERE tenant_id = %s", [tenant.tenant_id])
    return [str(token) for (token,) in rows]


def _browser_key() -> str:
    """A public key of a browser, as a subscription holds it."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    raw = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
