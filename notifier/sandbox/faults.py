"""The faults of a run: what `POST /_faults` may set, for all fake services and for one service or channel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

DATE = "date"
#: knobs that are numbers of requests, streams, seconds or calls
_WHOLE = ("goaway_every", "refuse_every", "first_streams", "token_seconds", "callback_repeats")


@dataclasses.dataclass
class ServiceFaults:
    """The knobs that one service, or every service of one channel, may have of its own."""

    latency_ms: float = 0.0  #: every answer waits this long
    error_rate: float = 0.0  #: share of messages answered 503 (SMTP: 451), 0..1
    throttle_rate: float = 0.0  #: share of requests answered 429
    hang_rate: float = 0.0  #: share of requests that are never answered, and whose message is not taken
    reset_rate: float = 0.0  #: share of streams that are reset (HTTP/1.1: connections that are cut), message not taken
    lost_rate: float = 0.0  #: the same, after the message was taken
    down: bool = False  #: every request is answered 503, every SMTP connection 421

    def change(self, values: Any) -> None:
        _change(self, values)

    def worst(self, other: ServiceFaults) -> ServiceFaults:
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in dataclasses.fields(ServiceFaults))
        return ServiceFaults(*(max(pair) for pair in pairs))

    @property
    def any_rate(self) -> float:
        """The share of requests with which something is wrong, besides `error_rate`."""
        return self.throttle_rate + self.hang_rate + self.reset_rate + self.lost_rate


@dataclasses.dataclass
class Faults(ServiceFaults):
    #: the Retry-After of 429 and 503: seconds, or a text as it is; `date`: an HTTP date two seconds ahead; null: none
    retry_after: float | str | None = 1.0
    slow_ms: float = 3000.0  #: how long the answer to a `slow-` address waits
    goaway_every: int = 0  #: requests after which a connection gets a GOAWAY; 0: never
    refuse_every: int = 0  #: every n-th stream of a connection is refused unprocessed; 0: never
    first_streams: int = 0  #: streams of a new connection until its first good answer, as at APNs; 0: as many as later
    reject_auth: bool = False  #: every login and every bearer token is refused
    reject_grants: bool = False  #: the token endpoint refuses every assertion
    token_seconds: int = 3600  #: life of an access token
    callback_repeats: int = 0  #: how often each callback is repeated; all of them are shuffled then
    #: by the name of a service or of a channel; of several values the worst counts
    services: dict[str, ServiceFaults] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self._channels: dict[str, str] = {}
        self._effective: dict[str, ServiceFaults] = {}

    def register(self, service: str, channel: str) -> None:
        """Make the service known, so that it may have faults of its own."""
        self._channels[service] = channel
        self._combine()

    def for_service(self, service: str) -> ServiceFaults:
        """What counts for this registered service now."""
        return self._effective[service]

    def change(self, values: Any) -> None:
        """Set some knobs. Raises ValueError naming a knob or a service that is unknown, or whose value has the wrong
        type; nothing is set then."""
        if not isinstance(values, dict):
            raise ValueError("the body must be a JSON object of knobs")
        services = self._changed_services(values.get("services", {}))
        _change(self, {name: value for name, value in values.items() if name != "services"})
        self.services = services
        self._combine()

    def reset(self) -> None:
        for f in dataclasses.fields(self):
            if f.name != "services":
                setattr(self, f.name, f.default)
        self.services = {}
        self._combine()

    @property
    def retry_after_text(self) -> str | None:
        """The value of the header Retry-After now; None: no header."""
        if self.retry_after == DATE:
            return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        return self.retry_after if isinstance(self.retry_after, str | None) else f"{self.retry_after:g}"

    def values(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def _changed_services(self, changes: Any) -> dict[str, ServiceFaults]:
        if not isinstance(changes, dict):
            raise ValueError("services must be an object: {name of a service or channel: {knob: value}}")
        known = sorted({*self._channels, *self._channels.values()} - {""})
        services = {name: dataclasses.replace(faults) for name, faults in self.services.items()}
        for name, knobs in changes.items():
            if name not in known:
                raise ValueError(f"unknown service or channel {name!r}; known: {', '.join(known)}")
            services.setdefault(name, ServiceFaults()).change(knobs)
        return services

    def _combine(self) -> None:
        nothing = ServiceFaults()
        for service, channel in self._channels.items():
            own = self.services.get(service, nothing).worst(self.services.get(channel, nothing))
            self._effective[service] = own.worst(self)


def _change(faults: ServiceFaults, values: Any) -> None:
    if not isinstance(values, Mapping):
        raise ValueError("knobs must be an object: {knob: value}")
    known = {f.name: getattr(faults, f.name) for f in dataclasses.fields(faults)}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"unknown knob {name!r}; known: {', '.join(known)}")
        if not _fits(known[name], value, name):
            raise ValueError(f"{name}: {value!r} does not fit")
    for name, value in values.items():
        setattr(faults, name, value)


def _fits(now: Any, value: Any, name: str) -> bool:
    if name == "retry_after" and (value is None or (isinstance(value, str) and value.isprintable())):
        return True
    if isinstance(now, bool) or isinstance(value, bool):
        return isinstance(now, bool) and isinstance(value, bool)
    if name in _WHOLE:
        return isinstance(value, int) and value >= 0
    return isinstance(value, (int, float)) and value >= 0
