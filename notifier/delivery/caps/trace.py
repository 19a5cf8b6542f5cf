"""The lines of frequency caps in an explanation: which cap, how many of how many, in which window. Reads the places,
and takes none."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from notifier.delivery.caps.loading import load_caps
from notifier.delivery.caps.places import read_holders
from notifier.delivery.caps.policy import load_policies
from notifier.delivery.caps.sharing import PlaceKey
from notifier.delivery.planning.cap_rules import CapWindow, caps_for, windows_at
from notifier.delivery.planning.trace import PASSED, RuleResult, TraceRequest
from notifier.values.zones import zone
from notifier.vocabulary.status import Reason
from tenants.models import OverCap


def trace_caps(tenant_id: uuid.UUID, request: TraceRequest, holder: uuid.UUID | None = None) -> list[RuleResult]:
    """One line for each cap and channel. `holder`: the notification or campaign that is explained, which may hold a
    place already; None: a message that would leave now."""
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
        RuleResult(
            str(Reason.FREQUENCY_CAP),
            _describe(window, len(taken), zone_name),
            _said(taken, window.cap.most, holder, policy),
            name,
        )
        for name, window, taken in _windows(held_by_channel, holders, request.person.id)
    ]


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
    start, end = (edge.astimezone(zone(zone_name)) for edge in window.window)
    span = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, {zone_name}"
    return f"the cap {window.cap}: {taken} of {window.cap.most} places are taken ({span})"


def _said(taken: Sequence[uuid.UUID], most: int, holder: uuid.UUID | None, policy: OverCap) -> str:
    if holder in taken:
        return f"{PASSED}: it holds one of them"
    return PASSED if len(taken) < most else f"over the cap: {policy.label}"
