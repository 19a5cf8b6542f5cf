"""Warns the owners of a tenant once when 80 percent of a quota are used, and once when all of it is. Every minute."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import structlog
from django.db import connection, transaction

from notifier.delivery.quotas import counting
from notifier.delivery.quotas.counting import Use
from notifier.delivery.webhooks import spool
from notifier.vocabulary.quotas import WARNINGS, begins, read_quotas
from tenants import audit
from tenants.models import Tenant

log = structlog.get_logger("notifier.quotas")

#: tells the owners of a tenant about these quotas
Tell = Callable[[Tenant, list[Use]], None]
#: counts are kept for 13 months, for questions about the past
_KEPT = timedelta(days=400)

# one caller gets the row for each share
_WARN = """
INSERT INTO notifier_quotause AS q (tenant_id, starts_on, period, channel, part, used, warned)
VALUES (%s, %s, %s, %s, 0, 0, %s)
ON CONFLICT (tenant_id, starts_on, period, channel, part) DO UPDATE SET warned = excluded.warned
WHERE q.warned < excluded.warned RETURNING 1
"""
# a quota that was raised, or got messages back, warns anew
_LOWER = """
UPDATE notifier_quotause SET warned = %s
WHERE tenant_id = %s AND starts_on = %s AND period = %s AND channel = %s AND part = 0 AND warned > %s
"""


def watch(tell: Tell, now: datetime | None = None) -> int:
    """Warn for every tenant with quotas; returns the number of warnings. Engine role."""
    now, count = now or datetime.now(UTC), 0
    for tenant in Tenant.objects.filter(quotas__isnull=False, active=True):
        with transaction.atomic():
            warned = [use for use in _uses(tenant, now) if _is_first(tenant.pk, use, now, tenant.timezone)]
            for use in warned:
                detail = {"channel": use.quota.channel, "period": use.quota.period.value, "percent": _share(use)}
                audit.record(tenant.pk, "quota.warned", use.quota.channel, detail)
                name = f"{use.quota.channel} a {use.quota.period.value}"
                spool.warn_of_quota(tenant.pk, name, use.used, use.quota.most)
        if warned:
            log.info("quota nearly used", action="quota", tenant=str(tenant.pk), quotas=len(warned))
            tell(tenant, warned)
        count += len(warned)
    return count


def near_end(tenant: Tenant, now: datetime) -> list[Use]:
    """The quotas of which 80 percent or more are used."""
    return [use for use in _uses(tenant, now) if _share(use)]


def _uses(tenant: Tenant, now: datetime) -> list[Use]:
    quotas = read_quotas(tenant.quotas)
    return counting.uses(tenant.pk, quotas, tenant.timezone, now) if quotas else []


def _share(use: Use) -> int:
    """The share that warns, in percent; 0 while less than 80 percent are used."""
    return max((share for share in WARNINGS if use.used >= use.quota.warns_at(share)), default=0)


def _is_first(tenant_id: uuid.UUID, use: Use, now: datetime, timezone: str) -> bool:
    """Whether the owners are to be warned of the share that is used now; notes that share, also a smaller one."""
    day: date = begins(use.quota.period, now, timezone)
    share = _share(use)
    key: list[uuid.UUID | date | str] = [tenant_id, day, use.quota.period.value, use.quota.channel]
    with connection.cursor() as cursor:
        cursor.execute(_LOWER, [share, *key, share])
        if not share:
            return False
        cursor.execute(_WARN, [*key, share])
        return cursor.fetchone() is not None


def forget_old(now: datetime) -> int:
    """Delete counts of more than 13 months ago; returns how many rows."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM notifier_quotause WHERE starts_on < %s", [(now - _KEPT).date()])
        return int(cursor.rowcount)
