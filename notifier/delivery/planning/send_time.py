"""When a notification leaves: at a time, or at a time of its recipient's wall clock. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from notifier.errors import InvalidInput
from notifier.values.zones import from_wall_clock
from notifier.vocabulary.people import SendRequest

#: a message may wait this long: a year from now, templates, consent and phone numbers have changed
FARTHEST = timedelta(days=366)


def send_time(request: SendRequest, own_zone: str, tenant_zone: str, now: datetime) -> datetime | None:
    """The time (UTC) at which the request asks to leave; None: now. `send_at_local` is a time of the recipient's zone,
    else of the tenant's. Raises InvalidInput for a local time that is over, too far ahead, or after `not_after`."""
    if request.send_at_local is None:
        return request.send_at
    name = own_zone or tenant_zone
    at = from_wall_clock(request.send_at_local, name)
    if at <= now:
        raise InvalidInput(f"Is in the past in {name}.", field="send_at_local", code="in_the_past")
    if at > now + FARTHEST:
        raise InvalidInput(
            f"Is more than {FARTHEST.days} days ahead in {name}.", field="send_at_local", code="too_far_ahead"
        )
    if request.not_after is not None and request.not_after <= at:
        raise InvalidInput(
            f"Must be after send_at_local, which is {at:%Y-%m-%dT%H:%M:%SZ} in {name}.",
            field="not_after",
            code="before_send_at",
        )
    return at
