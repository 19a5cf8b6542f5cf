"""The latest time at which a message may leave, for what must still be valid then. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from notifier.delivery.planning.plan import Plan, Planned
from notifier.delivery.planning.send_time import FARTHEST
from notifier.values.duration import parse_duration
from notifier.vocabulary.routes import Route, step_of


def latest_departure(entries: Plan, channel: str, route: Route, due: datetime, now: datetime) -> datetime:
    """When a message on the channel leaves at the latest. A message that waits for its time, for closed hours or for an
    earlier step may wait for a year more: it may be rescheduled, or its recipient may snooze meanwhile."""
    holds = [e.hold_until for e in entries if isinstance(e, Planned) and e.channel == channel and e.hold_until]
    planned = max([due, *holds]) + _after_first_step(route, channel)
    return planned + FARTHEST if planned > now else now


def _after_first_step(route: Route, channel: str) -> timedelta:
    if not route:
        return timedelta()
    return sum((parse_duration(step.after) or timedelta() for step in route[1 : step_of(route, channel)]), timedelta())
