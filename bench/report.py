"""latest.json, and the tables that `bench/README.md` carries between two marks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.targets import Target

README = Path(__file__).parent / "README.md"
PICTURE = "latest.png"
BEGIN, END = "<!-- results: written by make bench -->", "<!-- end of results -->"


def write(found: dict[str, Any], targets: Sequence[Target], folder: Path) -> None:
    """Into the README where `folder` is its own, else into `table.md` beside the JSON."""
    found["targets"] = [asdict(target) for target in targets]
    (folder / "latest.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    text = "\n".join(tables(found, targets))
    if folder == README.parent / "results":
        if (folder / PICTURE).exists():
            text += f"\n\n![Throughput over time, and cost over size](results/{PICTURE})"
        README.write_text(between_marks(README.read_text(), text))
    else:
        (folder / "table.md").write_text(text + "\n")


def between_marks(page: str, text: str) -> str:
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}"


def tables(found: Mapping[str, Any], targets: Sequence[Target]) -> Iterator[str]:
    where = found["environment"]
    yield f"\n{where['at']}, {where['cores']} cores ({where['processor']}), Python {where['python']}, PostgreSQL"
    yield f"{where['postgresql']}, {', '.join(where['sinks'].values())}."
    if where["short"]:
        yield "\n**The short form: it shows that everything runs; its times mean nothing.**"
    for problem in found["problems"]:
        yield f"\n**FAILED: {problem}**"
    yield from _targets(targets)
    yield from _campaigns(found["sinks"])
    yield from _parts(found["sinks"])
    yield from _peers(found["peers"], list(found["sinks"]))


def _targets(targets: Sequence[Target]) -> Iterator[str]:
    yield "\n### Targets\n"
    rows = [(one.what, one.wanted, one.measured, {True: "yes", False: "**no**", None: ""}[one.met]) for one in targets]
    yield from _table(("what", "wanted", "measured", "met"), rows)


def _campaigns(sinks: Mapping[str, Any]) -> Iterator[str]:
    yield "\n### Campaigns: GO to every outcome durable\n"
    heads = "sink|recipients|messages/s|of the ceiling|s|p50 / p95 / p99 ms|CPU µs|worker MB|arm/s|rows complete after"
    rows = [_campaign(name, size, one) for name, sink in sinks.items() for size, one in sink["e2e"].items()]
    yield from _table(heads.split("|"), rows)
    for name, sink in sinks.items():
        runs = " and ".join(f"{rate:,.0f}" for rate in sink["ceiling_runs_per_s"])
        yield f"\nCeiling of {name} (h2load, 4 × 100 streams, before and after): {runs or 'not measured'}/s."


def _campaign(name: str, size: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    waits = " / ".join("–" if one[key] is None else f"{one[key]:,}" for key in ("p50_ms", "p95_ms", "p99_ms"))
    share = "–" if one["ratio"] is None else f"{one['ratio']:.2f}"
    rows = "at once" if one["expansion_s"] is None else f"{one['expansion_s']:.1f} s"
    cost, memory = f"{one['cpu_us_per_message']:.1f}", f"{one['peak_rss_mb']:.0f}"
    rate, arm = f"{one['per_s']:,.0f}", f"{one['arm_per_s']:,.0f}"
    return (name, f"{int(size):,}", rate, share, f"{one['seconds']:.2f}", waits, cost, memory, arm, rows)


def _parts(sinks: Mapping[str, Any]) -> Iterator[str]:
    yield "\n### Where the CPU goes: µs per message of the largest campaign\n"
    largest = {name: sink["e2e"][max(sink["e2e"], key=int)] for name, sink in sinks.items() if sink["e2e"]}
    parts = list(dict.fromkeys(part for one in largest.values() for part in one["cpu_us_by_part"]))
    rows = [(part, *(f"{one['cpu_us_by_part'].get(part, 0.0):.1f}" for one in largest.values())) for part in parts]
    rows.append(
        ("afterwards: the ledger's rows", *(f"{o['expansion_cpu_us_per_message']:.1f}" for o in largest.values()))
    )
    yield from _table(("processes", *largest), rows)


def _peers(peers: Mapping[str, Any], sinks: list[str]) -> Iterator[str]:
    yield "\n### The same message by other clients, messages/s\n"
    rows = [(name, *(_peer(by_sink.get(sink)) for sink in sinks)) for name, by_sink in peers.items()]
    yield from _table(("client, one process", *sinks), rows)


def _peer(said: Mapping[str, Any] | None) -> str:
    if said is None:
        return "–"
    return f"{said['per_s']:,.0f}" if said["per_s"] is not None else said["reason"]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
