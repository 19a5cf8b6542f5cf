"""The uploads of a list: the last one, and whether a worker still reads it."""

from __future__ import annotations

import uuid

from notifier.errors import Conflict
from tenants.imports.jobs import OPEN_STATES
from tenants.models import Import


def last_upload(audience_id: uuid.UUID) -> Import | None:
    """The list's last upload."""
    return Import.objects.filter(audience_id=audience_id).order_by("-id").first()


def running_upload(audience_id: uuid.UUID) -> Import | None:
    """The upload that waits for a worker, or that a worker reads."""
    return Import.objects.filter(audience_id=audience_id, state__in=OPEN_STATES).first()


def check_loaded(audience_id: uuid.UUID, then: str) -> None:
    """Raise Conflict while a worker still reads the ids of this list. `then`: what the caller may do afterwards."""
    job = running_upload(audience_id)
    if job is not None:
        raise Conflict(
            f"The list of this audience is still being loaded ({job.rows:,} rows so far); {then} when it is done.",
            code="audience_loading",
        )
