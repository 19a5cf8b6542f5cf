"""A tenant's slots among the worker processes of the queue `batch`: all processes but one, so that another tenant's
work finds one free."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from tenants.database.connections import own_session


def max_slots() -> int:
    """How many processes one tenant may occupy: all but one, and at least one."""
    return max(1, int(settings.BATCH_PROCESSES) - 1)


@contextmanager
def batch_slot(tenant_id: uuid.UUID) -> Iterator[bool]:
    """Occupy one of the tenant's slots for the block. Yields False when none is free. A slot is an advisory lock of the
    session, so that the slot of a killed worker is free at once."""
    with own_session():
        slot = next((n for n in range(max_slots()) if _call("pg_try_advisory_lock", tenant_id, n)), None)
        try:
            yield slot is not None
        finally:
            if slot is not None:
                _call("pg_advisory_unlock", tenant_id, slot)


def _call(function: str, tenant_id: uuid.UUID, slot: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtext('tenants.batch_slot'), hashtext(%s))", [f"{tenant_id}/{slot}"])
        return bool(cursor.fetchone()[0])
