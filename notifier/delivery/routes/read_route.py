"""Read a fallback route as a request or a template gives it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from notifier.channels import channels
from notifier.errors import InvalidInput
from notifier.values.duration import parse_duration
from notifier.vocabulary.routes import Route, RouteStep, Unless

#: steps of a route at most; with LONGEST between them, a route ends after 28 days
MAX_STEPS = 5
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(days=7)
_KEYS = ("channel", "channels", "after", "unless")


def read_route(raw: Any, field: str = "route") -> Route:
    """The route; an empty list is the empty route. Raises InvalidInput that names the field, such as route.1.after."""
    if not isinstance(raw, list):
        raise InvalidInput("Must be a list of steps.", field=field)
    if len(raw) > MAX_STEPS:
        raise InvalidInput(f"Has {len(raw)} steps; at most {MAX_STEPS} are allowed.", field=field, code="too_long")
    route: list[RouteStep] = []
    for number, step in enumerate(raw):
        route.append(_read_step(step, f"{field}.{number}", [name for earlier in route for name in earlier.channels]))
    return tuple(route)


def check_content(route: Route, with_content: Collection[str], field: str = "route") -> None:
    """Raise InvalidInput for a step with a channel that the template has no content for."""
    for number, step in enumerate(route):
        for name in step.channels:
            if name not in with_content:
                raise InvalidInput(
                    f"The template has no content for: {name}.", field=f"{field}.{number}.channel", code="no_content"
                )


def _read_step(raw: Any, field: str, earlier_channels: Collection[str]) -> RouteStep:
    if not isinstance(raw, Mapping):
        raise InvalidInput('Must be an object such as {"channel": "push"}.', field=field)
    for key in raw:
        if key not in _KEYS:
            raise InvalidInput(
                f"Unknown field; known: {', '.join(_KEYS)}.", field=f"{field}.{key}"[:100], code="unknown_field"
            )
    return RouteStep(_read_channels(raw, field, earlier_channels), *_read_condition(raw, field, not earlier_channels))


def _read_channels(raw: Mapping[str, Any], field: str, earlier_channels: Collection[str]) -> tuple[str, ...]:
    if ("channel" in raw) == ("channels" in raw):
        raise InvalidInput("Give channel, or a list of channels.", field=f"{field}.channel", code="one_channel")
    key = "channel" if "channel" in raw else "channels"
    names = [raw[key]] if key == "channel" else raw[key]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        wanted = "the name of a channel" if key == "channel" else "a list of names of channels"
        raise InvalidInput(f"Must be {wanted}.", field=f"{field}.{key}")
    known = channels()
    for number, name in enumerate(names):
        if name not in known:
            raise InvalidInput(
                f"Unknown channel {name[:32]!r}; known: {', '.join(sorted(known))}.",
                field=f"{field}.{key}",
                code="unknown_channel",
            )
        if name in earlier_channels or name in names[:number]:
            raise InvalidInput(
                f"The route names {name} twice; each channel may be in one step only.",
                field=f"{field}.{key}",
                code="repeated",
            )
    return tuple(names)


def _read_condition(raw: Mapping[str, Any], field: str, is_first: bool) -> tuple[str, str]:
    """`after` and `unless` of a step."""
    for key in ("after", "unless"):
        if is_first and key in raw:
            raise InvalidInput(
                "Not in the first step, which leaves at once or at send_at.", field=f"{field}.{key}", code="first_step"
            )
    if is_first:
        return "", ""
    if "after" not in raw:
        raise InvalidInput(
            'Is required in every step but the first, such as "10m".', field=f"{field}.after", code="required"
        )
    after = parse_duration(raw["after"])
    if after is None or not SHORTEST <= after <= LONGEST:
        raise InvalidInput("Must be a text from 30s to 7d, such as 90s, 10m, 2h or 1d.", field=f"{field}.after")
    unless = raw.get("unless", Unless.SEEN.value)
    if not isinstance(unless, str) or unless not in list(Unless):
        raise InvalidInput(f"Must be {' or '.join(Unless)}.", field=f"{field}.unless")
    return str(raw["after"]), unless
