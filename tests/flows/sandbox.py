"""The receiver's own account: what the imitated FCM took, which tests believe instead of the sender."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.flows.http import Caller, query


@dataclass(frozen=True)
class Arrived:
    """One message that was taken. `at`: Unix time."""

    address: str
    delivery: str
    title: str
    at: float


class Sandbox:
    def __init__(self, url: str, ca: str) -> None:
        self._caller = Caller(url, ca=ca)

    def reset(self) -> None:
        """Forget what arrived and turn every knob back."""
        self._caller.ask("POST", "/_reset", {})

    def faults(self, **knobs: object) -> None:
        self._caller.ask("POST", "/_faults", knobs)

    def count(self) -> int:
        """Messages taken since the reset, repeats included."""
        return int(self._report()["accepted"])

    def requests(self) -> int:
        """Requests answered since the reset, whatever the answer."""
        return int(self._report()["received"])

    def arrivals(self, tag: str) -> list[Arrived]:
        """Those whose address begins so, oldest first."""
        report = self._report(detail=1, limit=200_000)
        first = report["first_at"] or 0.0
        return [
            Arrived(m["address"], m["delivery"], m["title"], first + m["offset_ms"] / 1000)
            for m in report["messages"]
            if m["address"].startswith(tag)
        ]

    def addresses(self, tag: str) -> Counter[str]:
        """How often each address was reached."""
        return Counter(arrived.address for arrived in self.arrivals(tag))

    def _report(self, **values: object) -> dict[str, Any]:
        found: dict[str, Any] = self._caller.ask("GET", query("/_report", **values))
        return found
