"""Bulk requests: 4 callers, 1,000 items a request, from the first request until every message is sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.api.arrivals import TIMEOUT, load_spec
from bench.campaign import StepFailed
from bench.load.process import Load
from bench.load.spec import ITEMS_A_REQUEST
from bench.sinks import Sink
from bench.tenants import BenchTenant

CALLERS = 4


def measure_bulk(tenant: BenchTenant, sink: Sink, sent: Callable[[], int]) -> tuple[dict[str, Any], list[str]]:
    """Recipients a second, from the first request until all messages arrived. `sent` returns the ledger's count. The
    tenant's size is rounded down to whole requests. Raises StepFailed."""
    sink_before, ledger_before = sink.messages(), sent()
    requests = max(1, tenant.size // ITEMS_A_REQUEST)
    spec = load_spec(tenant, items=min(ITEMS_A_REQUEST, tenant.size), count=requests, connections=CALLERS)
    recipients = requests * spec.items
    with Load(spec) as load:
        result = load.wait()
    delivered = _wait_delivered(sink, sink_before, sent, ledger_before, result.accepted)
    # the generator ran on the same clock; its start does not count
    seconds = time.time() - min(result.begun)
    figures = {
        "bulk_per_s": round(delivered / seconds, 1),
        "bulk_accepted_per_s": round(result.accepted / result.seconds, 1),
        "bulk_recipients": recipients,
    }
    after = sink.messages()
    counts = {"accepted": result.accepted, "ledger": sent() - ledger_before}
    if sink_before is not None and after is not None:
        counts["sink"] = after - sink_before
    wrong = set(counts.values()) != {recipients}
    return figures, [f"bulk: of {recipients} recipients {counts}"] if wrong else []


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
