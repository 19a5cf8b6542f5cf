"""The tables of single notifications, of bulk, and of two tenants beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.markdown import DASH, number, table

STEP = "messages/s|nothing queued|reached/s|to the answer, p50 / p99 ms|to the provider, p50 / p99 ms|CPU µs|of it web"
LOADS = {"alone": "alone", "beside_bulk": "another tenant's bulk", "beside_campaign": "another tenant's campaign"}
FAIR = "beside|requests|to the answer, p50 / p99 ms|to the provider, p50 / p99 ms|critical, p50 / p95 / p99 ms"


def tables(figures: Mapping[str, Any]) -> Iterator[str]:
    if steps := figures["api"].get("steps"):
        yield from _steps(steps, figures["api"], figures["floor"] or {})
    if fairness := figures["fairness"]:
        yield from _fairness(fairness)


def _steps(steps: Sequence[Mapping[str, Any]], api: Mapping[str, Any], floor: Mapping[str, Any]) -> Iterator[str]:
    yield "\n### Single notifications in an open loop\n"
    rows = [
        (
            f"{step['per_s']:,}",
            "yes" if step["held"] else f"**no** ({step['failed']} failed)",
            number(step["achieved_per_s"]),
            _waits(step, "answer_p50_ms", "answer_p99_ms"),
            _waits(step, "p50_ms", "p99_ms"),
            number(step["cpu_us"]),
            number(step["cpu_us_by_part"].get("web")),
        )
        for step in steps
    ]
    rows += [
        (f"{step['per_s']:,}: the floor in Go", DASH, DASH, _waits(step, "answer_p50_ms", "answer_p99_ms"), DASH,
         number(step["cpu_us"]), DASH)
        for step in floor.get("steps", ())
    ]  # fmt: skip
    yield from table(STEP.split("|"), rows)
    if floor:
        yield f"\nThe floor ({floor['version']}) at most, h2load: {number(floor['highest_per_s'])}/s."
    if api.get("bulk_cpu_us"):
        yield f"\nBulk: {number(api['bulk_per_s'])} recipients/s at {number(api['bulk_cpu_us'])} µs each."
    yield from _parts(api)


def _parts(api: Mapping[str, Any]) -> Iterator[str]:
    single, bulk = api.get("cpu_us_by_part", {}), api.get("bulk_cpu_us_by_part", {})
    parts = [part for part in dict.fromkeys((*single, *bulk)) if single.get(part, 0) >= 1 or bulk.get(part, 0) >= 1]
    if not parts:
        return
    idle = number(api.get("idle_cpu_ms_per_s"))
    yield f"\nThe idle stack uses {idle} ms of CPU a second, which the notifications of that second carry."
    yield "\nCPU µs by processes, of a single notification at 100/s and of a recipient in bulk:\n"
    rows = [(part, number(single.get(part)), number(bulk.get(part))) for part in parts]
    yield from table(("processes", "single", "bulk"), rows)


def _fairness(fairness: Mapping[str, Any]) -> Iterator[str]:
    yield "\n### 20 single notifications a second beside another tenant's load\n"
    rows = [
        (
            name,
            number(fairness[load]["requests"]),
            _waits(fairness[load], "answer_p50_ms", "answer_p99_ms"),
            _waits(fairness[load], "p50_ms", "p99_ms"),
            _waits(fairness[load]["critical"], "p50_ms", "p95_ms", "p99_ms"),
        )
        for load, name in LOADS.items()
        if load in fairness
    ]
    yield from table(FAIR.split("|"), rows)
    times = {load: fairness.get(f"times_beside_{load}", {}) for load in ("bulk", "campaign")}
    for load, ratio in times.items():
        if ratio:
            answer, arrival = number(ratio.get("answer_p50_ms"), 1), number(ratio.get("p50_ms"), 1)
            yield f"\nBeside the {load}, times alone: answer p50 × {answer}, provider p50 × {arrival}."
    bulk, campaign = number(fairness.get("bulk_accepted_per_s")), number(fairness.get("campaign_per_s"))
    yield f"\nThe other tenant meanwhile: {bulk} recipients/s accepted in bulk; a campaign at {campaign}/s."
    if waits := fairness.get("bulk_told_to_wait"):
        yield f"{number(waits)} bulk requests were answered that they shall come again later."


def _waits(figures: Mapping[str, Any], *names: str) -> str:
    return " / ".join(number(figures[name], 1) for name in names)
