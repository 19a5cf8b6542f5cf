"""The API: single notifications at a steady pace, whose arrivals the sandbox logs, and bulk requests."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.campaign import StepFailed
from bench.sinks import Sandbox, Sink
from bench.tenants import BenchTenant

PER_S = 100
#: so many that no request waits for another at 100 a second and 300 ms each
THREADS = 32
#: parallel callers of the bulk API, and the items of one request
CALLERS, ITEMS_A_REQUEST = 4, 1_000
TIMEOUT = 120.0


@dataclass
class SteadyLoad:
    """Sends notifications at fixed times, whatever became of earlier ones (open loop)."""

    tenant: BenchTenant
    count: int
    sent_at: dict[str, float] = field(default_factory=dict)  #: delivery id -> Unix time of the request
    answer_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)  #: delay caused by the bench itself
    failed: list[str] = field(default_factory=list)

    def run(self) -> None:
        numbers, start = iter(range(self.count)), time.time() + 0.5
        lock = threading.Lock()

        def next_number() -> int | None:
            with lock:
                return next(numbers, None)

        run_parallel(THREADS, lambda _: self._caller(next_number, start))

    def _caller(self, next_number: Callable[[], int | None], start: float) -> None:
        api = KeepAliveClient(self.tenant)
        while (number := next_number()) is not None:
            due = start + number / PER_S
            time.sleep(max(0.0, due - time.time()))
            self._send(api, number, due)

    def _send(self, api: KeepAliveClient, number: int, due: float) -> None:
        at = time.time()
        status, answer = api.post("/v1/notifications", notification(number % self.tenant.size, number))
        self.answer_ms.append((time.time() - at) * 1000)
        self.late_ms.append((at - due) * 1000)
        if status == 202:
            self.sent_at[answer["deliveries"][0]["id"]] = at
        else:
            self.failed.append(f"{status} {answer}")


def measure_single(tenant: BenchTenant, sink: Sandbox, seconds: int) -> tuple[dict[str, Any], list[str]]:
    """Milliseconds from a request to the arrival of its message at the provider."""
    sink.reset()
    SteadyLoad(tenant, PER_S // 2).run()  # warms the processes
    load = SteadyLoad(tenant, PER_S * seconds)
    load.run()
    arrived = _arrivals(sink, load.sent_at)
    waits = sorted((arrived[i] - at) * 1000 for i, at in load.sent_at.items() if i in arrived)
    figures = {
        "p50_ms": _percentile(waits, 0.50),
        "p99_ms": _percentile(waits, 0.99),
        "answer_p50_ms": _percentile(sorted(load.answer_ms), 0.50),
        "answer_p99_ms": _percentile(sorted(load.answer_ms), 0.99),
        "bench_late_p99_ms": _percentile(sorted(load.late_ms), 0.99),
        "notifications": load.count + PER_S // 2,
    }
    problems = [f"api: {len(load.failed)} requests failed, as {load.failed[0][:200]}"] if load.failed else []
    if len(waits) != len(load.sent_at):
        problems.append(f"api: of {len(load.sent_at)} accepted notifications {len(waits)} arrived")
    return figures, problems


def _arrivals(sink: Sandbox, sent_at: dict[str, float]) -> dict[str, float]:
    """delivery id -> Unix time of arrival. Returns when all have arrived, or after TIMEOUT."""
    until = time.monotonic() + TIMEOUT
    while True:
        report = sink.report(detail=100_000)
        arrived = {m["delivery"]: report["first_at"] + m["offset_ms"] / 1000 for m in report["messages"]}
        if sent_at.keys() <= arrived.keys() or time.monotonic() > until:
            return arrived
        time.sleep(0.5)


def measure_bulk(tenant: BenchTenant, sink: Sink, sent: Callable[[], int]) -> tuple[dict[str, Any], list[str]]:
    """Recipients a second, from the first request until all messages arrived. `sent` returns the ledger's count."""
    sink_before, ledger_before = sink.messages(), sent()
    batches = iter(
        [range(start, min(start + ITEMS_A_REQUEST, tenant.size)) for start in range(0, tenant.size, ITEMS_A_REQUEST)]
    )
    accepted, lock = [0] * CALLERS, threading.Lock()

    def caller(number: int) -> None:
        api = KeepAliveClient(tenant)
        while True:
            with lock:
                batch = next(batches, None)
            if batch is None:
                return
            status, answer = api.post("/v1/notifications/bulk", {"items": [notification(n, n) for n in batch]})
            accepted[number] += answer["accepted"] if status in (202, 207) else 0

    began = time.monotonic()
    run_parallel(CALLERS, caller)
    accept_seconds = time.monotonic() - began
    delivered = _wait_delivered(sink, sink_before, sent, ledger_before, sum(accepted))
    seconds = time.monotonic() - began
    figures = {
        "bulk_per_s": round(delivered / seconds, 1),
        "bulk_accepted_per_s": round(sum(accepted) / accept_seconds, 1),
        "bulk_recipients": tenant.size,
    }
    after = sink.messages()
    counts = {"accepted": sum(accepted), "ledger": sent() - ledger_before}
    if sink_before is not None and after is not None:
        counts["sink"] = after - sink_before
    wrong = set(counts.values()) != {tenant.size}
    return figures, [f"bulk: of {tenant.size} recipients {counts}"] if wrong else []


def _wait_delivered(
    sink: Sink, sink_before: int | None, sent: Callable[[], int], ledger_before: int, accepted: int
) -> int:
    """How many messages arrived, by the sink's count if it has one. Returns when all have, and the ledger says so too.
    Raises StepFailed."""
    until = time.monotonic() + TIMEOUT
    while True:
        now = sink.messages()
        arrived = sent() - ledger_before if now is None or sink_before is None else now - sink_before
        if arrived >= accepted:
            while sent() - ledger_before < accepted and time.monotonic() < until:
                time.sleep(0.05)
            return arrived
        if time.monotonic() > until:
            raise StepFailed(f"of {accepted} accepted recipients {arrived} arrived in {TIMEOUT:.0f} s")
        time.sleep(0.05)


class KeepAliveClient:
    """A caller of the API that keeps one connection open."""

    def __init__(self, tenant: BenchTenant) -> None:
        self._headers = dict(tenant.api._headers)
        address = urlsplit(tenant.api.origin)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())


def notification(recipient: int, order: int) -> dict[str, Any]:
    return {"recipient": f"user-{recipient}", "template": "order-shipped", "data": {"order": f"A-{order}"}}


def run_parallel(count: int, work: Callable[[int], None]) -> None:
    """Run `work(number)` in `count` threads. Raises the first error."""
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


def _percentile(values: list[float], share: float) -> float | None:
    """By nearest rank; None for no values."""
    return round(values[min(len(values) - 1, int(len(values) * share))], 1) if values else None
