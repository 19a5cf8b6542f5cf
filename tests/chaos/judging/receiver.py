"""What arrived at the sandbox: the receiver counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.chaos.judging.invariants import Arrival
from tests.flows.http import Caller, query

_MOST = 1_000_000


@dataclass(frozen=True)
class Receiver:
    caller: Caller

    def arrivals(self) -> list[Arrival]:
        """All accepted messages since the sandbox was reset, repeats included."""
        messages = self._report(detail=1, limit=_MOST)["messages"]
        return [Arrival(m["delivery"], m["channel"], m["address"], m["title"]) for m in messages]

    def answers(self, *kinds: str) -> int:
        """How many requests ended so: a status, `reset`, `hangup`, `refused`."""
        by_status = self._report()["by_status"]
        return sum(int(by_status.get(kind, 0)) for kind in kinds)

    def count(self) -> int:
        return int(self._report()["accepted"])

    def services(self) -> int:
        """How many fake services have had a request."""
        return len(self._report()["services"])

    def callbacks_waiting(self) -> int:
        """Receipts that the sandbox has still to post."""
        return int(self._report()["callbacks"]["waiting"])

    @property
    def connections(self) -> int:
        return int(self._report()["connections"])

    def _report(self, **values: object) -> dict[str, Any]:
        report: dict[str, Any] = self.caller.request_json("GET", query("/_report", **values))
        return report
