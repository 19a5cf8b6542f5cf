"""One step of a fallback route, as requests, templates and stored routes name it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple


class Unless(StrEnum):
    """What keeps a later step from leaving."""

    SEEN = "seen"
    DELIVERED = "delivered"


class RouteStep(NamedTuple):
    """The channels of one step. `after` (a duration text) and `unless` belong to later steps only; the first has ""."""

    channels: tuple[str, ...]
    after: str = ""
    unless: str = ""

    def as_json(self) -> dict[str, Any]:
        """The step as a stored route has it, and as the API shows it."""
        later = {"after": self.after, "unless": self.unless} if self.after else {}
        return {**later, "channels": list(self.channels)}


Route = tuple[RouteStep, ...]


def channels_of(route: Route) -> tuple[str, ...]:
    """The channels of all steps, in their order."""
    return tuple(name for step in route for name in step.channels)


def step_of(route: Route, channel: str) -> int:
    """The number of the step that has the channel, from 1; each channel is in one step only."""
    return next(number for number, step in enumerate(route, start=1) if channel in step.channels)


def from_json(stored: list[dict[str, Any]] | None) -> Route:
    """The route of its stored form, which was valid when it was stored."""
    steps = stored or []
    return tuple(RouteStep(tuple(s["channels"]), s.get("after", ""), s.get("unless", "")) for s in steps)


def stored_form(route: Route) -> list[dict[str, Any]] | None:
    """The inverse of `from_json`; None for the empty route."""
    return [step.as_json() for step in route] or None
