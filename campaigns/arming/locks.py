"""Which workers arm a campaign: advisory locks of the database session, so that a killed worker frees them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from tenants.database.connections import own_session


@contextmanager
def exclusive_lock(campaign_id: uuid.UUID) -> Iterator[bool]:
    """Yields whether this worker alone has the campaign, until the block ends."""
    with _lock(campaign_id, "") as locked:
        yield locked


@contextmanager
def shared_lock(campaign_id: uuid.UUID) -> Iterator[bool]:
    """Yields whether this worker may arm the campaign's ranges, beside other workers: not while one of them has the
    exclusive lock."""
    with _lock(campaign_id, "_shared") as locked:
        yield locked


def is_being_armed(campaign_id: uuid.UUID) -> bool:
    """Whether some worker arms the campaign."""
    with exclusive_lock(campaign_id) as locked:
        return not locked


@contextmanager
def _lock(campaign_id: uuid.UUID, kind: str) -> Iterator[bool]:
    key = campaign_id.int & 0x7FFF_FFFF_FFFF_FFFF
    with own_session(), connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock{kind}(%s)", [key])
        locked = bool(cursor.fetchone()[0])
        try:
            yield locked
        finally:
            if locked:
                cursor.execute(f"SELECT pg_advisory_unlock{kind}(%s)", [key])
