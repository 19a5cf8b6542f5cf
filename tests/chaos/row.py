"""What a row is: one fault, when it is injected, and what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.context import Context

#: answers so slow that a campaign lasts some seconds on any machine
SLOW: Mapping[str, Any] = {
    "services": {"push": {"latency_ms": 1200}, "sms": {"latency_ms": 100}, "email": {"latency_ms": 60}}
}
#: the full form has thirteen times as many messages: where few are in flight at once, answers are that much quicker
QUICK: Mapping[str, Any] = {
    "services": {"push": {"latency_ms": 1200}, "sms": {"latency_ms": 15}, "email": {"latency_ms": 8}}
}
_NO_FAULT = {"latency_ms": 0.0, "error_rate": 0.0, "throttle_rate": 0.0, "hang_rate": 0.0}
_NO_FAULT |= {"reset_rate": 0.0, "lost_rate": 0.0, "down": False}
_SERVICES = ("push", "sms", "email", "fcm", "apns", "webpush", "twilio", "vonage", "smtp")
#: turns every knob back that a row turns; what arrived stays counted
NO_FAULTS: Mapping[str, Any] = {
    **_NO_FAULT,
    "services": dict.fromkeys(_SERVICES, _NO_FAULT),
    "retry_after": 1.0,
    "goaway_every": 0,
    "refuse_every": 0,
    "callback_repeats": 0,
}
NONE = "nothing"
BEGUN = "what the killed processes had begun"


class When(StrEnum):
    """When a fault is injected."""

    ARMING = "while the campaigns are armed"
    LAUNCH = "right after GO"
    SENDING = "while the campaigns leave"
    IDLE = "beside the campaigns"


def knobs(faults: Mapping[str, Any], *, short: bool) -> Mapping[str, Any]:
    """The sandbox's knobs for a load of this form."""
    return faults if short or "services" not in faults else {**faults, **QUICK}


@dataclass(frozen=True)
class Row:
    """`inject` breaks something and repairs it; the runner starts again what is down. `repeats` says what the row may
    repeat; the number comes from the ledger (`Context.allow`). `group`: rows of one group share a load in the short
    form; a row without one has a load of its own. `times`: loads in the full form. `faults`: knobs of the sandbox while
    the campaigns leave."""

    name: str
    says: str
    inject: Callable[[Context], None]
    when: When = When.SENDING
    repeats: str = NONE
    group: str = ""
    times: int = 1
    faults: Mapping[str, Any] = field(default_factory=lambda: SLOW)
    #: the soak leaves it out: it needs a load of its own
    in_soak: bool = True
    #: before the load, together with those of the other rows of the group
    prepare: Callable[[Context], None] | None = None
