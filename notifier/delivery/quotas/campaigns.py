"""What a campaign takes of its tenant's quotas: all of its messages at GO, and what never began back after a stop."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from django.db import connection

from notifier.delivery.quotas import counting
from notifier.delivery.quotas.accepting import refusal
from notifier.delivery.quotas.counting import Use
from notifier.vocabulary.quotas import read_quotas
from tenants.models import Tenant


def full_quotas(tenant: Tenant, messages: Mapping[str, int], now: datetime) -> list[Use]:
    """The quotas without room for so many messages by channel."""
    quotas = read_quotas(tenant.quotas)
    if not quotas:
        return []
    uses = counting.uses(tenant.pk, quotas, tenant.timezone, now)
    return [use for use in uses if messages.get(use.quota.channel, 0) > use.left]


def reserve(tenant: Tenant, messages: Mapping[str, int], now: datetime) -> list[list[Any]]:
    """Count the messages of a campaign; returns what to keep for `give_back`. Raises QuotaExceeded. Needs an open
    transaction; campaigns of one tenant reserve one after the other."""
    quotas = read_quotas(tenant.quotas)
    if not quotas:
        return []
    _lock(tenant.pk)
    if full := full_quotas(tenant, messages, now):
        raise refusal(full[0], now.timestamp(), messages[full[0].quota.channel])
    amounts = counting.keys(quotas, messages, tenant.timezone, now)
    counting.add(tenant.pk, amounts)
    return [[channel, period, day.isoformat(), amount] for (channel, period, day), amount in amounts.items()]


_NONE: Mapping[str, int] = MappingProxyType({})


def give_back(tenant_id: uuid.UUID, reserved: list[list[Any]], begun: Mapping[str, int] = _NONE) -> None:
    """Give back what `reserve` took, but for the messages that have begun, by channel."""
    amounts = {
        (channel, period, date.fromisoformat(day)): -max(0, amount - begun.get(channel, 0))
        for channel, period, day, amount in reserved
    }
    counting.add(tenant_id, {key: amount for key, amount in amounts.items() if amount})


def _lock(tenant_id: uuid.UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('notifier.quotas'), hashtext(%s))", [str(tenant_id)])
