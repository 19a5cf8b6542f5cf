"""What becomes of a slot that passed while no worker looked. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from campaigns.models import CatchUp

#: a restart of the workers takes less: a slot within it is on time
ON_TIME = timedelta(minutes=5)


def is_missed(at: datetime, following: datetime | None, now: datetime, catch_up: str) -> bool:
    """Whether the slot does not run. `following` is the slot after it."""
    if now - at <= ON_TIME or catch_up == CatchUp.ALL:
        return False
    return catch_up == CatchUp.NONE or (following is not None and following <= now)
