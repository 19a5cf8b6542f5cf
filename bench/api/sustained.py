"""The highest rate of single notifications at which nothing queues: steps in an open loop, until one queues or fails.

The messages go through APNs to nginx, which logs the delivery of each: nginx takes a message in some microseconds,
where the sandbox needs hundreds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.api.arrivals import load_spec, missing, wait_arrivals
from bench.load.process import Load
from bench.load.result import held, summary
from bench.sinks import Nginx
from bench.site import BenchSite
from bench.tenants import BenchTenant
from notifier.local.console import Say

WARM_PER_S, WARM_COUNT = 50, 50


def measure_sustained(
    site: BenchSite, tenant: BenchTenant, sink: Nginx, steps: Sequence[int], seconds: int, say: Say
) -> tuple[dict[str, Any], list[str]]:
    """`sustained_per_s`: the rate of the last step that held, 0 when none did; `steps`: each step's figures."""
    with Load(load_spec(tenant, per_s=WARM_PER_S, count=WARM_COUNT)) as warm:
        result = warm.wait()
        wait_arrivals(sink.arrived, result.begun_at)
    figures: list[dict[str, Any]] = []
    problems: list[str] = []
    for per_s in steps:
        figure, lost = _step(site, tenant, sink, per_s, seconds)
        figures.append(figure)
        problems += lost
        say("sustained", _describe(figure))
        if not figure["held"]:
            break
    highest = max((figure["per_s"] for figure in figures if figure["held"]), default=0)
    return {"sustained_per_s": highest, "steps": figures}, problems


def _step(
    site: BenchSite, tenant: BenchTenant, sink: Nginx, per_s: int, seconds: int
) -> tuple[dict[str, Any], list[str]]:
    with site.measured(f"sustained, {per_s}/s") as meter:
        with Load(load_spec(tenant, per_s=per_s, count=per_s * seconds)) as load:
            result = load.wait()
            arrived = wait_arrivals(sink.arrived, result.begun_at)
    count = len(result.ids)
    came = [arrived[delivery] for delivery in result.begun_at if delivery in arrived]
    span = max(came) - min(result.begun) if came else 0.0
    figures = {
        "per_s": per_s,
        "held": held(result, arrived, per_s),
        "achieved_per_s": round(len(came) / span, 1) if span else 0.0,
        "failed": len(result.failed),
        "failed_as": result.failed[0] if result.failed else None,
        **summary(result, arrived),
        "cpu_us": round(meter.per_message(count), 1),
        "cpu_us_by_part": meter.parts_per_message(count),
        "bench_cpu_us": round(result.cpu_seconds * 1e6 / count, 1),
    }
    return figures, missing(f"sustained, {per_s}/s", result, arrived)


def _describe(figure: dict[str, Any]) -> str:
    verdict = "held" if figure["held"] else f"queued ({figure['failed']} failed)"
    waits = f"{figure['p50_ms']} / {figure['p99_ms']} ms"
    return f"{figure['per_s']}/s: {verdict}, {figure['achieved_per_s']:,.0f}/s, {waits}, {figure['cpu_us']:,.0f} µs"
