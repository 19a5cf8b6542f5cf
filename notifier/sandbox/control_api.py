"""The sandbox's own pages: GET /_report, POST /_reset, POST /_faults. They speak of the imitation, not of FCM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from urllib.parse import parse_qs

import orjson

from notifier.sandbox.arrivals import Arrivals
from notifier.sandbox.fake_service import Answer, FakeService, Incoming, json_answer
from notifier.sandbox.faults import Faults


class ControlApi(FakeService):
    def __init__(
        self, arrivals: Arrivals, faults: Faults, connections: Callable[[], int], grants: Counter[str]
    ) -> None:
        self._arrivals, self._faults, self._connections, self._grants = arrivals, faults, connections, grants
        self._pages = {
            ("GET", "/_report"): self._report,
            ("POST", "/_reset"): self._reset,
            ("POST", "/_faults"): self._set_faults,
            ("GET", "/_faults"): self._get_faults,
        }

    def serves(self, path: str) -> bool:
        return path.startswith("/_")

    def answer(self, incoming: Incoming) -> Answer:
        page = self._pages.get((incoming.method, incoming.path))
        if page is None:
            known = ", ".join(f"{method} {path}" for method, path in self._pages)
            return json_answer(404, {"error": f"no such page; there are: {known}"})
        try:
            return page(incoming)
        except ValueError as error:
            return json_answer(400, {"error": str(error)})

    def _report(self, incoming: Incoming) -> Answer:
        """`since=<Unix time>` moves the percentiles' zero; `detail=1&limit=&address=` lists messages."""
        query = {name: values[-1] for name, values in parse_qs(incoming.query).items()}
        since = float(query["since"]) if "since" in query else None
        report = self._arrivals.report(since) | {"connections": self._connections(), "grants": dict(self._grants)}
        if query.get("detail") == "1":
            report["messages"] = self._arrivals.detail(int(query.get("limit", 1000)), query.get("address", ""))
        return json_answer(200, report)

    def _reset(self, _incoming: Incoming) -> Answer:
        """Forget what arrived and turn every knob back."""
        self._arrivals.reset()
        self._grants.clear()
        self._faults.reset()
        return json_answer(200, {})

    def _set_faults(self, incoming: Incoming) -> Answer:
        wanted = orjson.loads(incoming.body)
        if not isinstance(wanted, dict):
            raise ValueError("a JSON object of knobs is wanted")
        self._faults.change(wanted)
        return self._get_faults(incoming)

    def _get_faults(self, _incoming: Incoming) -> Answer:
        return json_answer(200, vars(self._faults))
