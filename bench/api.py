"""The API: single notifications at a steady pace, whose arrival the sandbox writes down, and thousands in bulk."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.campaign import TooLate
from bench.people import Crowd
from bench.sinks import Sandbox, Sink

PER_S = 100
#: enough that none waits for another at 100 a second and 300 ms each
THREADS = 32
#: customers' servers that send at once, and items of one request
CALLERS, ITEMS = 4, 1_000
PATIENCE = 120.0


@dataclass
class Single:
    """One notification after the other, at their times whatever became of the earlier ones (open loop)."""

    crowd: Crowd
    count: int
    sent_at: dict[str, float] = field(default_factory=dict)  #: delivery id -> Unix time of the request
    answer_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)  #: how late the bench itself was
    failed: list[str] = field(default_factory=list)

    def run(self) -> None:
        turns, start = iter(range(self.count)), time.time() + 0.5
        lock = threading.Lock()

        def turn() -> int | None:
            with lock:
                return next(turns, None)

        together(THREADS, lambda _: self._caller(turn, start))

    def _caller(self, turn: Callable[[], int | None], start: float) -> None:
        api = KeptOpen(self.crowd)
        while (number := turn()) is not None:
            due = start + number / PER_S
            time.sleep(max(0.0, due - time.time()))
            self._send(api, number, due)

    def _send(self, api: KeptOpen, number: int, due: float) -> None:
        at = time.time()
        status, said = api.post("/v1/notifications", item(number % self.crowd.size, number))
        self.answer_ms.append((time.time() - at) * 1000)
        self.late_ms.append((at - due) * 1000)
        if status == 202:
            self.sent_at[said["deliveries"][0]["id"]] = at
        else:
            self.failed.append(f"{status} {said}")


def single(crowd: Crowd, sink: Sandbox, seconds: int) -> tuple[dict[str, Any], list[str]]:
    """Milliseconds from a request to its message at the provider."""
    sink.reset()
    Single(crowd, PER_S // 2).run()  # the processes are warm after it
    asked = Single(crowd, PER_S * seconds)
    asked.run()
    arrived = _arrivals(sink, asked.sent_at)
    waits = sorted((arrived[i] - at) * 1000 for i, at in asked.sent_at.items() if i in arrived)
    found = {
        "p50_ms": _share(waits, 0.50),
        "p99_ms": _share(waits, 0.99),
        "answer_p50_ms": _share(sorted(asked.answer_ms), 0.50),
        "answer_p99_ms": _share(sorted(asked.answer_ms), 0.99),
        "bench_late_p99_ms": _share(sorted(asked.late_ms), 0.99),
        "notifications": asked.count + PER_S // 2,
    }
    problems = [f"api: {len(asked.failed)} requests failed, as {asked.failed[0][:200]}"] if asked.failed else []
    if len(waits) != len(asked.sent_at):
        problems.append(f"api: of {len(asked.sent_at)} accepted notifications {len(waits)} arrived")
    return found, problems


def _arrivals(sink: Sandbox, wanted: dict[str, float]) -> dict[str, float]:
    """delivery id -> Unix time, once all have arrived, or have had their time."""
    until = time.monotonic() + PATIENCE
    while True:
        seen = sink.report(detail=100_000)
        found = {m["delivery"]: seen["first_at"] + m["offset_ms"] / 1000 for m in seen["messages"]}
        if wanted.keys() <= found.keys() or time.monotonic() > until:
            return found
        time.sleep(0.5)


def bulk(crowd: Crowd, sink: Sink, sent: Callable[[], int]) -> tuple[dict[str, Any], list[str]]:
    """Recipients a second, from the first request until all are delivered; `sent` asks the ledger."""
    before, had = sink.messages(), sent()
    batches = iter([range(start, min(start + ITEMS, crowd.size)) for start in range(0, crowd.size, ITEMS)])
    accepted, lock = [0] * CALLERS, threading.Lock()

    def caller(number: int) -> None:
        api = KeptOpen(crowd)
        while True:
            with lock:
                batch = next(batches, None)
            if batch is None:
                return
            status, said = api.post("/v1/notifications/bulk", {"items": [item(n, n) for n in batch]})
            accepted[number] += said["accepted"] if status in (202, 207) else 0

    began = time.monotonic()
    together(CALLERS, caller)
    took = time.monotonic() - began
    delivered = _delivered(sink, before, sent, had, sum(accepted))
    seconds = time.monotonic() - began
    found = {
        "bulk_per_s": round(delivered / seconds, 1),
        "bulk_accepted_per_s": round(sum(accepted) / took, 1),
        "bulk_recipients": crowd.size,
    }
    after = sink.messages()
    counts = {"accepted": sum(accepted), "ledger": sent() - had}
    if before is not None and after is not None:
        counts["sink"] = after - before
    wrong = set(counts.values()) != {crowd.size}
    return found, [f"bulk: of {crowd.size} recipients {counts}"] if wrong else []


def _delivered(sink: Sink, before: int | None, sent: Callable[[], int], had: int, wanted: int) -> int:
    """How many arrived; returns as soon as all have, by the sink's count where it has one."""
    until = time.monotonic() + PATIENCE
    while True:
        now = sink.messages()
        seen = sent() - had if now is None or before is None else now - before
        if seen >= wanted:
            while sent() - had < wanted and time.monotonic() < until:
                time.sleep(0.05)  # delivered is what the ledger says, too
            return seen
        if time.monotonic() > until:
            raise TooLate(f"of {wanted} accepted recipients {seen} arrived in {PATIENCE:.0f} s")
        time.sleep(0.05)


class KeptOpen:
    """A customer's server: one connection, kept."""

    def __init__(self, crowd: Crowd) -> None:
        self._headers = dict(crowd.api._headers)
        place = urlsplit(crowd.api.origin)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())


def item(recipient: int, order: int) -> dict[str, Any]:
    return {"recipient": f"user-{recipient}", "template": "order-shipped", "data": {"order": f"A-{order}"}}


def together(count: int, work: Callable[[int], None]) -> None:
    """In so many threads. The first error is raised."""
    errors: list[BaseException] = []

    def safe(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=safe, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _share(values: list[float], share: float) -> float | None:
    """Nearest rank."""
    return round(values[min(len(values) - 1, int(len(values) * share))], 1) if values else None
