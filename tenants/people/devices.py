"""Registers push tokens. Within a tenant and platform a token belongs to one recipient: the one that
registered it last."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import connection, transaction

from notifier.vocabulary.ids import new_id
from tenants.models import Device, Recipient
from tenants.people import fields
from tenants.people.platforms import check_token, tokens_of_device

# One statement: when two phones register one token at the same time, both succeed and one recipient has the token.
# `app` is the tenant's app that made the token; it does not decide whose token it is. `xmax = 0` tells an insert from
# an update. The clock is read once the row is locked: a provider's refusal of a request sent before then does not mark
# the device dead.
_REGISTER = """
WITH registered AS (
  INSERT INTO tenants_device AS d
    (id, tenant_id, recipient_id, platform, token, app, timezone, created_at, last_seen_at)
  VALUES (%(id)s, %(tenant)s, %(recipient)s, %(platform)s, %(token)s, coalesce(%(app)s, ''),
    coalesce(%(timezone)s, ''), now(), clock_timestamp())
  ON CONFLICT (tenant_id, platform, token) DO UPDATE
    SET recipient_id = excluded.recipient_id, app = coalesce(%(app)s, d.app),
      timezone = coalesce(%(timezone)s, d.timezone), last_seen_at = clock_timestamp(),
      dead_since = NULL, dead_reason = ''
  RETURNING d.id, d.xmax = 0 AS created, d.timezone
), seen AS (
  UPDATE tenants_recipient r SET device_timezone = d.timezone FROM registered d
  WHERE r.id = %(recipient)s AND d.timezone <> '' AND r.device_timezone <> d.timezone
)
SELECT id, created FROM registered
"""

# Two people may register one browser at the same time, each with another token: the second waits for the first.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('tenants.devices'), hashtext(%s))"


def check(platform: str, token: str, app: str = "") -> tuple[str, str]:
    """Token and app as they are stored. Raises InvalidInput, with the field, unless a device may have these values."""
    return check_token(platform, token), fields.app(app) if app else ""


def register(
    recipient: Recipient, platform: str, token: str, app: str | None = None, timezone: str | None = None
) -> tuple[uuid.UUID, bool]:
    """The device's id, and whether it is new. A token of another recipient moves to this one, and a dead device is
    usable again. Without `app` an existing device keeps its app; the same holds for its time zone, which becomes the
    recipient's `device_timezone`. `timezone` is in its stored form."""
    token, named_app = check(platform, token, app or "")
    stored_app = None if app is None else named_app
    tokens = tokens_of_device(recipient.tenant_id, platform, token)
    with transaction.atomic():
        if len(tokens) > 1:
            token, stored_app = _keep_one(recipient.tenant_id, platform, tokens, token, stored_app)
        values: dict[str, uuid.UUID | str | None] = {
            "id": new_id(),
            "tenant": recipient.tenant_id,
            "recipient": recipient.pk,
            "platform": platform,
            "token": token,
            "app": stored_app,
            "timezone": timezone,
        }
        with connection.cursor() as cursor:
            cursor.execute(_REGISTER, values)
            row: tuple[uuid.UUID, bool] = cursor.fetchone()
    return row


def _keep_one(
    tenant_id: uuid.UUID, platform: str, tokens: Sequence[str], token: str, app: str | None
) -> tuple[str, str | None]:
    """Token and app to register for a device that `tokens` may stand for. The rows of the other tokens are deleted,
    whoever has them: the device would get messages for two recipients, or each message twice. A token that says least
    replaces no stored token that says more."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [f"{tenant_id}{platform}{tokens[0]}"])
    rows = Device.objects.filter(tenant_id=tenant_id, platform=platform, token__in=tokens)
    stored = list(rows.order_by("-last_seen_at").values_list("token", "app"))
    if token == tokens[0]:
        token = next((text for text, _ in stored if text != token), token)
    others = [(text, of_app) for text, of_app in stored if text != token]
    if others:
        rows.filter(token__in=[text for text, _ in others]).delete()
        if app is None and len(others) == len(stored):  # no row of this token, which would keep its own app
            app = others[0][1]
    return token, app
