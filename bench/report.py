"""latest.json, and the tables between two marks of `bench/README.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import inbox_tables
from bench.api import tables as small_things
from bench.markdown import number
from bench.markdown import table as _table
from bench.targets import Target

README = Path(__file__).parent / "README.md"
PICTURE, PROFILE = "latest.png", "profile.txt"
BEGIN, END = "<!-- results: written by make bench -->", "<!-- end of results -->"


def write(figures: dict[str, Any], targets: Sequence[Target], folder: Path) -> None:
    """Writes the tables into the README when `folder` is bench/results, else into `table.md` beside the JSON."""
    figures["targets"] = [asdict(target) for target in targets]
    (folder / "latest.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    text = "\n".join(tables(figures, targets))
    if folder == README.parent / "results":
        if (folder / PICTURE).exists():
            text += f"\n\n![Throughput over time, and cost over size](results/{PICTURE})"
        README.write_text(replace_between_marks(README.read_text(), text))
    else:
        (folder / "table.md").write_text(text + "\n")


def replace_between_marks(page: str, text: str) -> str:
    before, _, after = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{after.partition(END)[2]}"


def tables(figures: Mapping[str, Any], targets: Sequence[Target]) -> Iterator[str]:
    machine = figures["environment"]
    processor = f"{machine['cores']} cores ({machine['processor']})"
    yield f"\n{machine['at']}, {processor}, Python {machine['python']}, PostgreSQL"
    yield f"{machine['postgresql']}, {', '.join(machine['sinks'].values())}."
    if machine["short"]:
        yield "\n**The short form: it shows that everything runs; its times mean nothing.**"
    for problem in figures["problems"]:
        yield f"\n**FAILED: {problem}**"
    yield from _targets(targets)
    if any(sink["e2e"] for sink in figures["sinks"].values()):
        yield from _campaigns(figures["sinks"])
        yield from _parts(figures["sinks"])
    yield from small_things.tables(figures)
    if figures["in_app"]:
        yield from inbox_tables.campaigns(figures["in_app"])
    if figures["sockets"]:
        yield from inbox_tables.sockets(figures["sockets"], figures["socket_peers"])
    if figures["peers"]:
        yield from _peers(figures["peers"], list(figures["sinks"]))
    if platforms := {name: figures[name] for name in ("apns", "webpush") if figures[name]}:
        yield from _platforms(platforms)
    if figures["email"]:
        yield from _email(figures["email"])


def _targets(targets: Sequence[Target]) -> Iterator[str]:
    yield "\n### Targets\n"
    met = {True: "yes", False: "**no**", None: ""}
    rows = [(target.what, target.wanted, target.measured, met[target.met]) for target in targets]
    yield from _table(("what", "wanted", "measured", "met"), rows)


def _campaigns(sinks: Mapping[str, Any]) -> Iterator[str]:
    yield "\n### Campaigns: GO to every outcome durable\n"
    heads = "sink|recipients|messages/s|of the ceiling|s|50 / 95 % after, of s|p50 / p95 / p99 ms|CPU µs|with rows"
    heads += "|worker MB|arm/s|rows complete after"
    rows = [_campaign(name, size, run) for name, sink in sinks.items() for size, run in sink["e2e"].items()]
    yield from _table(heads.split("|"), rows)
    for name, sink in sinks.items():
        runs = " and ".join(f"{rate:,.0f}" for rate in sink["ceiling_runs_per_s"])
        yield f"\nCeiling of {name} (h2load, 4 × 100 streams, before and after): {runs or 'not measured'}/s."


def _campaign(name: str, size: str, run: Mapping[str, Any]) -> tuple[str, ...]:
    waits = " / ".join("–" if run[key] is None else f"{run[key]:,}" for key in ("p50_ms", "p95_ms", "p99_ms"))
    share = "–" if run["ratio"] is None else f"{run['ratio']:.2f}"
    rows = "at once" if run["expansion_s"] is None else f"{run['expansion_s']:.1f} s"
    cost, memory = f"{run['cpu_us_per_message']:.1f}", f"{run['peak_rss_mb']:.0f}"
    rate, arm = f"{run['per_s']:,.0f}", f"{run['arm_per_s']:,.0f}"
    after = " / ".join(number(part, 2) for part in run["time_shares"].values())
    with_rows = f"{run['cpu_us_per_message'] + run['expansion_cpu_us_per_message']:.1f}"
    seconds = f"{run['seconds']:.2f}"
    return (name, f"{int(size):,}", rate, share, seconds, after, waits, cost, with_rows, memory, arm, rows)


def _parts(sinks: Mapping[str, Any]) -> Iterator[str]:
    yield "\n### Where the CPU goes: µs per message of the largest campaign\n"
    largest = {name: sink["e2e"][max(sink["e2e"], key=int)] for name, sink in sinks.items() if sink["e2e"]}
    parts = list(dict.fromkeys(part for run in largest.values() for part in run["cpu_us_by_part"]))
    rows = [(part, *(f"{run['cpu_us_by_part'].get(part, 0.0):.1f}" for run in largest.values())) for part in parts]
    rows.append(
        ("afterwards: the ledger's rows", *(f"{run['expansion_cpu_us_per_message']:.1f}" for run in largest.values()))
    )
    yield from _table(("processes", *largest), rows)


def _peers(peers: Mapping[str, Any], sinks: list[str]) -> Iterator[str]:
    yield "\n### The same message by other clients, messages/s\n"
    rows = [(name, *(_peer(by_sink.get(sink)) for sink in sinks)) for name, by_sink in peers.items()]
    yield from _table(("client, one process", *sinks), rows)


def _peer(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "–"
    return f"{figure['per_s']:,.0f}" if figure["per_s"] is not None else figure["reason"]


def _platforms(platforms: Mapping[str, Any]) -> Iterator[str]:
    yield "\n### Platforms beside FCM: GO to every outcome durable\n"
    heads = "platform|sink|recipients|messages/s|times FCM|CPU µs|times FCM|arm/s|times FCM|the sink's CPU µs|at FCM"
    rows = [
        (
            name,
            sink,
            f"{figures['size']:,}",
            f"{figures['per_s']:,.0f}",
            f"{figures['times_rate']:.2f}",
            f"{figures['cpu_us_per_message']:.1f}",
            f"{figures['times_cpu']:.2f}",
            f"{figures['arm_per_s']:,.0f}",
            f"{figures['times_arm_rate']:.2f}",
            *(f"{figures['sink_cpu_us'][platform]:.1f}" for platform in (name, "fcm")),
        )
        for name, by_sink in platforms.items()
        for sink, figures in by_sink.items()
    ]
    yield from _table(heads.split("|"), rows)


def _email(email: Mapping[str, Any]) -> Iterator[str]:
    yield "\n### Email: mails of 5 kB, GO to every outcome durable\n"
    rows = [
        (
            f"a campaign of {run['ledger_sent']:,}, {kind}",
            f"{run['per_s']:,.0f}",
            f"{run['cpu_us_per_message']:.0f}",
            f"{run['peak_rss_mb']:.0f}",
        )
        for kind, run in email["campaigns"].items()
    ]
    rows += [
        (name, _peer(peer), f"{peer['cpu_us']:,.0f}" if peer["per_s"] is not None else "–", "–")
        for name, peer in email["peers"].items()
    ]
    yield from _table(("client", "messages/s", "CPU µs", "worker MB"), rows)
    yield f"\nServers: {', '.join(email['sinks'].values())}. Peers send plain."
