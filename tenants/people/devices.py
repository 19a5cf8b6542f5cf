"""Registers push tokens. Within a tenant and platform a token belongs to one recipient: the one that
registered it last."""

from __future__ import annotations

import uuid

from django.db import connection

from notifier.vocabulary.ids import new_id
from tenants.models import Recipient
from tenants.people import fields
from tenants.people.platforms import check_token

# One statement: when two phones register one token at the same time, both succeed and one recipient has the token.
# `app` is the tenant's app that made the token; it does not decide whose token it is. `xmax = 0` tells an insert from
# an update. The clock is read once the row is locked: a provider's refusal of a request sent before then does not mark
# the device dead.
_REGISTER = """
INSERT INTO tenants_device AS d (id, tenant_id, recipient_id, platform, token, app, created_at, last_seen_at)
VALUES (%(id)s, %(tenant)s, %(recipient)s, %(platform)s, %(token)s, coalesce(%(app)s, ''), now(), clock_timestamp())
ON CONFLICT (tenant_id, platform, token) DO UPDATE
  SET recipient_id = excluded.recipient_id, app = coalesce(%(app)s, d.app), last_seen_at = clock_timestamp(),
    dead_since = NULL, dead_reason = ''
RETURNING d.id, d.xmax = 0
"""


def check(platform: str, token: str, app: str = "") -> tuple[str, str]:
    """Token and app as they are stored. Raises InvalidInput, with the field, unless a device may have these values."""
    return check_token(platform, token), fields.app(app) if app else ""


def register(recipient: Recipient, platform: str, token: str, app: str | None = None) -> tuple[uuid.UUID, bool]:
    """The device's id, and whether it is new. A token of another recipient moves to this one, and a dead device is
    usable again. Without `app` an existing device keeps its app."""
    token, named_app = check(platform, token, app or "")
    values: dict[str, uuid.UUID | str | None] = {
        "id": new_id(),
        "tenant": recipient.tenant_id,
        "recipient": recipient.pk,
        "platform": platform,
        "token": token,
        "app": None if app is None else named_app,
    }
    with connection.cursor() as cursor:
        cursor.execute(_REGISTER, values)
        row: tuple[uuid.UUID, bool] = cursor.fetchone()
    return row
