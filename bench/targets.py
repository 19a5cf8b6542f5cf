"""What was wanted, what was measured, and whether that is enough. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: campaigns from here on count for the rates
LARGE = 300_000
PYTHON_PEERS = ("pyfcm", "pyfcm_async", "firebase_admin", "firebase_admin_async")


@dataclass(frozen=True)
class Target:
    """`met` is None where it was not measured."""

    what: str
    wanted: str
    measured: str
    met: bool | None


def targets(found: Mapping[str, Any]) -> list[Target]:
    return [*_rates(found), *_costs(found), *_waits(found)]


def _rates(found: Mapping[str, Any]) -> Iterator[Target]:
    large = f"share of the ceiling, {LARGE:,} and more"
    yield _judged(f"nginx: {large}", "≥ 0.6", _least(found, "nginx", "ratio"), lambda ratio: ratio >= 0.6)
    yield _judged(f"nghttpd: {large}", "≥ 0.3", _least(found, "nghttpd", "ratio"), lambda ratio: ratio >= 0.3)
    million = found["sinks"].get("nghttpd", {}).get("e2e", {}).get("1000000")
    seconds = million["seconds"] if million else None
    yield _judged("nghttpd: a million, GO to every outcome durable, s", "≤ 12", seconds, lambda s: s <= 12)
    for name in found["sinks"]:
        times = _times_the_peers(found, name)
        yield _judged(f"{name}: times the best of pyfcm and firebase-admin", "≥ 50", times, lambda t: t >= 50)
    yield _judged("arm, recipients/s", "≥ 30,000", found["arm_per_s"], lambda rate: rate >= 30_000)
    yield _judged("bulk API, recipients/s", "≥ 10,000", found["api"]["bulk_per_s"], lambda rate: rate >= 10_000)


def _costs(found: Mapping[str, Any]) -> Iterator[Target]:
    runs = found["sinks"].get("nghttpd", {}).get("e2e", {})
    cost = max((one["cpu_us_per_message"] for size, one in runs.items() if int(size) >= LARGE), default=None)
    yield _judged("nghttpd: CPU per message, µs, everything but the sink", "≤ 15", cost, lambda us: us <= 15)
    for name, sink in found["sinks"].items():
        spread = _spread([one["cpu_us_per_message"] for one in sink["e2e"].values()])
        yield _judged(f"{name}: cost per message over the sizes, ± %", "≤ 15", spread, lambda percent: percent <= 15)
    for name, sink in found["sinks"].items():
        growth = _spread([one["arm_peak_rss_mb"] for one in sink["e2e"].values()])
        yield _judged(f"{name}: memory while arming over the sizes, ± %", "≤ 15", growth, lambda percent: percent <= 15)
    for name, sink in found["sinks"].items():
        slowest = _expansion(sink)
        yield _judged(f"{name}: ledger rows complete, s per million", "≤ 30", slowest, lambda s: s <= 30)


def _waits(found: Mapping[str, Any]) -> Iterator[Target]:
    yield _judged("GO to the first request, ms", "≤ 100", found["go_first_ms"], lambda ms: ms <= 100)
    yield _judged("stop to the last request, ms", "≤ 1,000", found["stop_last_ms"], lambda ms: ms <= 1000)
    yield _judged("one API notification to the provider, p50 ms", "≤ 20", found["api"]["p50_ms"], lambda ms: ms <= 20)
    yield _judged("the same, p99 ms", "≤ 100", found["api"]["p99_ms"], lambda ms: ms <= 100)


def _judged(what: str, wanted: str, value: float | None, enough: Callable[[float], bool]) -> Target:
    if value is None:
        return Target(what, wanted, "not measured", None)
    return Target(what, wanted, f"{value:,.3g}" if value < 100 else f"{value:,.0f}", enough(value))


def _least(found: Mapping[str, Any], name: str, key: str) -> float | None:
    """The worst of the large campaigns."""
    runs = found["sinks"].get(name, {}).get("e2e", {})
    return min((one[key] for size, one in runs.items() if int(size) >= LARGE and one[key] is not None), default=None)


def _times_the_peers(found: Mapping[str, Any], name: str) -> float | None:
    ours = _least(found, name, "per_s")
    rates = [found["peers"].get(peer, {}).get(name, {}).get("per_s") for peer in PYTHON_PEERS]
    best = max((rate for rate in rates if rate), default=None)
    return ours / best if ours and best else None


def _spread(values: list[float]) -> float | None:
    """± percent around the middle of the smallest and the largest; one value has no spread."""
    if len(values) < 2 or not sum(values):
        return None
    return (max(values) - min(values)) / (max(values) + min(values)) * 100


def _expansion(sink: Mapping[str, Any]) -> float | None:
    """Seconds per million of the largest campaign; 0 where rows were complete at once."""
    large = [(int(size), one["expansion_s"] or 0.0) for size, one in sink["e2e"].items() if int(size) >= LARGE]
    return max((seconds * 1e6 / size for size, seconds in large), default=None)
