"""The lines of frequency caps in an explanation: which cap, how many of how many, in which window. Reads the places,
and takes none."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime

from notifier.delivery.caps.loading import load_caps
from notifier.delivery.caps.places import read_holders
from notifier.delivery.caps.policy import load_policies
from notifier.delivery.caps.sharing import PlaceKey
from notifier.delivery.planning.cap_rules import CapWindow, caps_for, windows_at
from notifier.delivery.planning.trace import PASSED, RuleResult, Trace, TraceRequest
from notifier.values.zones import zone
from notifier.vocabulary.status import Mode, Reason
from tenants.models import OverCap


def trace_caps(tenant_id: uuid.UUID, request: TraceRequest, _: Trace) -> list[RuleResult]:
    """One line for each cap and channel, about a message that would leave at the request's time. No cap holds a test
    message. Registered as a later rule of `planning.trace`."""
    if request.mode == Mode.TEST:
        return []
    zone_name = request.person.timezone or request.when.tenant_zone
    caps = load_caps(tenant_id)
    held_by_channel = {
        name: windows_at(caps_for(caps, request.rule, name), zone_name, request.when.now) for name in request.channels
    }
    keys = {_key(w, request.person.id) for windows in held_by_channel.values() for w in windows}
    holders = read_holders(tenant_id, keys) if keys else {}
    policies = load_policies(tenant_id, [request.rule.category]) if keys else {}
    policy = policies.get(request.rule.category, OverCap.DROP)
    return [
        _line(name, window, len(taken), policy, zone_name)
        for name, window, taken in _windows(held_by_channel, holders, request.person.id)
    ]


def _line(channel: str, window: CapWindow, taken: int, policy: OverCap, zone_name: str) -> RuleResult:
    waits = taken >= window.cap.most and policy != OverCap.DROP
    until = window.window.end if waits else None
    described = _describe(window, taken, zone_name)
    return RuleResult(str(Reason.FREQUENCY_CAP), described, _said(window, taken, policy, zone_name), channel, until)


def _windows(
    by_channel: dict[str, tuple[CapWindow, ...]], holders: dict[PlaceKey, list[uuid.UUID]], person: uuid.UUID
) -> Iterator[tuple[str, CapWindow, Sequence[uuid.UUID]]]:
    """Channel, window and the holders of its places."""
    for name, windows in by_channel.items():
        for window in windows:
            yield name, window, holders.get(_key(window, person), ())


def _key(window: CapWindow, person: uuid.UUID) -> PlaceKey:
    return PlaceKey(window.cap.id, person, window.window.start)


def _describe(window: CapWindow, taken: int, zone_name: str) -> str:
    start, end = _shown(window.window.start, zone_name), _shown(window.window.end, zone_name)
    places = f"{taken} of {window.cap.most} places are taken"
    return f"the cap {window.cap}: {places} ({start} to {end}, {zone_name})"


def _said(window: CapWindow, taken: int, policy: OverCap, zone_name: str) -> str:
    if taken < window.cap.most:
        return PASSED
    if policy == OverCap.DROP:
        return f"suppressed: {Reason.FREQUENCY_CAP}"
    until = f"waits until {_shown(window.window.end, zone_name)}"
    return f"joins the category's digest, else {until}" if policy == OverCap.DIGEST else until


def _shown(at: datetime, zone_name: str) -> str:
    return f"{at.astimezone(zone(zone_name)):%Y-%m-%d %H:%M}"
