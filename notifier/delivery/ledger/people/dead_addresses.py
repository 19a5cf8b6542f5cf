"""Addresses that must not be used again, as a provider says: devices are marked, other addresses become
suppressions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from notifier.delivery.infra import bulk
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Address
from notifier.vocabulary.status import ConsentSource
from tenants.access import set_consent_source
from tenants.models.people import DEAD_REASON


@dataclass(frozen=True)
class DeadAddress:
    """An address that takes no more messages. An address that was registered again after `as_of` is not dead. `cause`:
    of its suppression (tenants.models.Suppression.Cause)."""

    tenant_id: uuid.UUID
    channel: str
    address: Address
    as_of: datetime
    cause: str = "dead"
    #: when the recipient asked for it; None: the provider found out by itself
    asked_at: datetime | None = None
    #: what the provider said, for a person who asks why a device gets nothing
    detail: str = ""


_DEVICE: bulk.Columns = {"tenant_id": "uuid", "id": "uuid", "as_of": "timestamptz", "detail": "text"}
# A phone may register between the request and its refusal: its token then works again, perhaps for another recipient.
# Rows are locked in the order of an import (tenants.imports.merge): two different orders would be a deadlock
_KILL_DEVICES = f"""
WITH refused AS MATERIALIZED (
  SELECT v.id, dead.detail FROM tenants_device v JOIN {bulk.unnest("dead", _DEVICE)} USING (tenant_id, id)
  WHERE v.dead_since IS NULL AND v.last_seen_at <= dead.as_of
  ORDER BY v.tenant_id, v.platform, v.token FOR UPDATE OF v
)
UPDATE tenants_device v SET dead_since = now(), dead_reason = refused.detail FROM refused WHERE v.id = refused.id
"""

_SUPPRESSION: bulk.Columns = {
    "id": "uuid", "tenant_id": "uuid", "channel": "text", "address": "text", "as_of": "timestamptz", "cause": "text",
    "asked_at": "timestamptz",
}  # fmt: skip
# an address whose suppression was lifted after the request began is not suppressed by that request's refusal
_SUPPRESS = f"""
INSERT INTO tenants_suppression (id, tenant_id, channel, address, cause, created_at)
SELECT id, tenant_id, channel, address, cause, COALESCE(asked_at, now()) FROM {bulk.unnest("dead", _SUPPRESSION)}
WHERE NOT EXISTS (
  SELECT 1 FROM tenants_consentchange c
  WHERE c.tenant_id = dead.tenant_id AND c.at > dead.as_of AND c.channel = dead.channel AND c.address = dead.address)
ON CONFLICT (tenant_id, channel, address) DO NOTHING
"""


def mark_addresses_dead(dead: Iterable[DeadAddress]) -> None:
    """Mark addresses that will never take a message: a device is marked, any other address becomes a suppression. In
    the order of tokens and addresses, so that two workers cannot wait for each other."""
    devices: dict[tuple[uuid.UUID, uuid.UUID], tuple[datetime, str]] = {}
    addresses: dict[tuple[uuid.UUID, str, str], tuple[datetime, str, datetime | None]] = {}
    for d in sorted(dead, key=lambda d: d.as_of):  # the latest of several refusals of an address counts
        if d.address.device_id:
            devices[d.tenant_id, d.address.device_id] = d.as_of, d.detail[:DEAD_REASON] or d.cause
        elif d.address.value:  # an erased message has none
            addresses[d.tenant_id, d.channel, d.address.value] = (d.as_of, d.cause, d.asked_at)
    if not devices and not addresses:
        return
    set_consent_source(ConsentSource.RECEIPT)
    with bulk.cursor() as cursor:
        if devices:
            cursor.execute(_KILL_DEVICES, bulk.by_column(_DEVICE, [(*key, *values) for key, values in devices.items()]))
        if addresses:
            suppressions = [(new_id(), *key, *addresses[key]) for key in sorted(addresses, key=str)]
            cursor.execute(_SUPPRESS, bulk.by_column(_SUPPRESSION, suppressions))
