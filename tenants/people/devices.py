"""Register a push token: it belongs to one recipient of a tenant and platform, the last who registered it."""

from __future__ import annotations

import uuid

from django.db import connection

from notifier.errors import InvalidInput
from notifier.vocabulary.ids import new_id
from tenants.models import Recipient
from tenants.people import fields

# One statement: of two phones that register one token at once both succeed, and one recipient has it. `app` says which
# of the tenant's apps made the token; it is no part of whose the token is. `xmax = 0` tells an insert from an update.
# The clock is read when the row is locked: a refusal whose request began before then does not kill the device.
_REGISTER = """
INSERT INTO tenants_device AS d (id, tenant_id, recipient_id, platform, token, app, created_at, last_seen_at)
VALUES (%(id)s, %(tenant)s, %(recipient)s, %(platform)s, %(token)s, coalesce(%(app)s, ''), now(), clock_timestamp())
ON CONFLICT (tenant_id, platform, token) DO UPDATE
  SET recipient_id = excluded.recipient_id, app = coalesce(%(app)s, d.app), last_seen_at = clock_timestamp(),
    dead_since = NULL
RETURNING d.id, d.xmax = 0
"""
#: a check of tenants.people.fields calls them as the CSV does
_FIELD = {"push_platform": "platform", "push_token": "token"}


def check(platform: str, token: str, app: str = "") -> None:
    """Raise InvalidInput, naming the field as the API does, unless a device can be made of these."""
    try:
        fields.device(platform, token, app)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=_FIELD.get(error.field or "", error.field), code=error.code) from None


def register(recipient: Recipient, platform: str, token: str, app: str | None = None) -> tuple[uuid.UUID, bool]:
    """The device's id, and whether it is new. A token of somebody else moves here, a dead one lives again; without
    `app` the device keeps the one that it has."""
    check(platform, token, app or "")
    values: dict[str, uuid.UUID | str | None] = {
        "id": new_id(),
        "tenant": recipient.tenant_id,
        "recipient": recipient.pk,
        "platform": platform,
        "token": token,
        "app": app,
    }
    with connection.cursor() as cursor:
        cursor.execute(_REGISTER, values)
        row: tuple[uuid.UUID, bool] = cursor.fetchone()
    return row
