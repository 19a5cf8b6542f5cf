"""The faults of a run: what `POST /_faults` may set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass
class Faults:
    latency_ms: float = 0.0  #: every answer waits this long
    error_rate: float = 0.0  #: share of messages answered 503, 0..1
    retry_after: float | None = 1.0  #: seconds in the Retry-After of 429 and 503; null: no header
    slow_ms: float = 3000.0  #: how long the answer to a `slow-` address waits
    goaway_every: int = 0  #: requests after which a connection gets a GOAWAY; 0: never
    refuse_every: int = 0  #: every n-th stream of a connection is refused unprocessed; 0: never
    reject_auth: bool = False  #: every bearer token is refused
    reject_grants: bool = False  #: the token endpoint refuses every assertion
    token_seconds: int = 3600  #: life of an access token

    def change(self, values: Mapping[str, Any]) -> None:
        """Set some knobs. Raises ValueError naming a knob that is unknown, or whose value has the wrong type."""
        known = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown knob {name!r}; known: {', '.join(known)}")
            if not _fits(known[name], value, name):
                raise ValueError(f"{name}: {value!r} does not fit")
        for name, value in values.items():
            setattr(self, name, value)

    def reset(self) -> None:
        for f in dataclasses.fields(self):
            setattr(self, f.name, f.default)


def _fits(now: Any, value: Any, name: str) -> bool:
    if name == "retry_after" and value is None:
        return True
    if isinstance(now, bool) or isinstance(value, bool):
        return isinstance(now, bool) and isinstance(value, bool)
    if name in ("goaway_every", "refuse_every", "token_seconds"):
        return isinstance(value, int) and value >= 0
    return isinstance(value, (int, float)) and value >= 0
