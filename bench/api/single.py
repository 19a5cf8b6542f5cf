"""100 single notifications a second, in an open loop, to the sandbox, which knows when each message arrived."""

from __future__ import annotations

import time
from typing import Any

from bench.api.arrivals import failed, load_spec, missing, wait_arrivals
from bench.load.process import Load
from bench.load.result import summary
from bench.sinks import Sandbox
from bench.site import BenchSite
from bench.tenants import BenchTenant

PER_S = 100


def measure_single(
    site: BenchSite, tenant: BenchTenant, sink: Sandbox, seconds: int
) -> tuple[dict[str, Any], list[str]]:
    """Milliseconds from a request to its answer, and to the arrival of its message; the CPU of a notification, which
    includes what the idle stack uses (`idle_cpu_ms_per_s`)."""
    sink.reset()
    with Load(load_spec(tenant, per_s=PER_S, count=PER_S // 2)) as warm:
        warm.wait()
    with site.measured("idle") as idle:
        time.sleep(idle_seconds := seconds / 5)
    with site.measured(f"single, {PER_S}/s") as meter:
        with Load(load_spec(tenant, per_s=PER_S, count=PER_S * seconds, first=PER_S // 2)) as load:
            result = load.wait()
            arrived = wait_arrivals(sink.arrived, result.begun_at)
    figures = {
        **summary(result, arrived),
        "notifications": len(result.ids),
        "failed": len(result.failed),
        "cpu_us": round(meter.per_message(len(result.ids)), 1),
        "cpu_us_by_part": meter.parts_per_message(len(result.ids)),
        "idle_cpu_ms_per_s": round(idle.cpu_seconds * 1e3 / idle_seconds, 1),
        "bench_cpu_us": round(result.cpu_seconds * 1e6 / len(result.ids), 1),
    }
    return figures, failed("api", result) + missing("api", result, arrived)
