"""How long before its slot a campaign begins to be armed. Pure."""

from __future__ import annotations

#: before the first slot nothing is measured
FIRST_SECONDS = 600
#: recipients a second that arming does at least: a small machine with two other campaigns. 600 s are enough for 1.2 M
SLOWEST_RATE = 2_000
_LEAST, _MOST = 120, 6 * 3600


def first_lead(recipients: int) -> int:
    """Seconds before the first slot, for an audience of this size."""
    return min(_MOST, max(FIRST_SECONDS, recipients // SLOWEST_RATE))


def measured_lead(seconds: float) -> int:
    """Seconds before the next slot, when the last arming took `seconds`: twice as long and a minute, because another
    campaign may be armed at the same time. Short, because the audience is evaluated when arming begins."""
    return int(min(_MOST, max(_LEAST, 60 + 2 * seconds)))
