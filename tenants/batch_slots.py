"""How many worker processes of the queue `batch` one tenant may hold: all but one, so that another finds one free."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection


def max_slots() -> int:
    """How many processes one tenant may hold; the only one, where there is one."""
    return max(1, int(settings.BATCH_PROCESSES) - 1)


@contextmanager
def batch_slot(tenant_id: uuid.UUID) -> Iterator[bool]:
    """Whether this process may work for the tenant: as long as this lasts, it holds one of the tenant's places. A place
    is an advisory lock of the session, so that a killed worker frees it."""
    place = next((n for n in range(max_slots()) if _call_lock("pg_try_advisory_lock", tenant_id, n)), None)
    try:
        yield place is not None
    finally:
        if place is not None:
            _call_lock("pg_advisory_unlock", tenant_id, place)


def _call_lock(function: str, tenant_id: uuid.UUID, place: int) -> bool:
    with connection.cursor() as cursor:
        key = f"{tenant_id}/{place}"
        cursor.execute(f"SELECT {function}(hashtext('tenants.turn'), hashtext(%s))", [key])
        return bool(cursor.fetchone()[0])
