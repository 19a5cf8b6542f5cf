"""Who works on a campaign's arming: advisory locks of the session, so that a killed worker frees them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def exclusive_lock(campaign_id: uuid.UUID) -> Iterator[bool]:
    """Whether nobody else arms this campaign, nor can as long as this lasts."""
    with _lock(campaign_id, "") as held:
        yield held


@contextmanager
def shared_lock(campaign_id: uuid.UUID) -> Iterator[bool]:
    """Whether its slices may be armed by this worker: not while somebody is `alone`."""
    with _lock(campaign_id, "_shared") as held:
        yield held


def is_being_armed(campaign_id: uuid.UUID) -> bool:
    """Whether some worker arms it."""
    with exclusive_lock(campaign_id) as nobody_else:
        return not nobody_else


@contextmanager
def _lock(campaign_id: uuid.UUID, kind: str) -> Iterator[bool]:
    key = campaign_id.int & 0x7FFF_FFFF_FFFF_FFFF
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock{kind}(%s)", [key])
        held = bool(cursor.fetchone()[0])
        try:
            yield held
        finally:
            if held:
                cursor.execute(f"SELECT pg_advisory_unlock{kind}(%s)", [key])
