"""The targets, the measured figures, and whether each target was met. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

#: recipients from which on a campaign counts for the rates
LARGE = 300_000
MANY_SOCKETS = 10_000
PYTHON_PEERS = ("pyfcm", "pyfcm_async", "firebase_admin", "firebase_admin_async")


@dataclass(frozen=True)
class Target:
    """`met` is None when the figure was not measured."""

    what: str
    wanted: str
    measured: str
    met: bool | None


def targets(figures: Mapping[str, Any]) -> list[Target]:
    return [
        *_rates(figures),
        *_costs(figures),
        *_latencies(figures),
        *_small_things(figures["api"]),
        *_fairness(figures["fairness"] or {}),
        *_in_app((figures["in_app"] or {}).get("campaigns", {})),
        *_sockets(figures["sockets"] or {}),
        *_apns(figures["apns"] or {}),
        *_email(figures["email"] or {}),
    ]


def _rates(figures: Mapping[str, Any]) -> Iterator[Target]:
    large = f"share of the ceiling, {LARGE:,} and more"
    yield _target(f"nginx: {large}", "≥ 0.6", _least(figures, "nginx", "ratio"), lambda ratio: ratio >= 0.6)
    yield _target(f"nghttpd: {large}", "≥ 0.3", _least(figures, "nghttpd", "ratio"), lambda ratio: ratio >= 0.3)
    million = figures["sinks"].get("nghttpd", {}).get("e2e", {}).get("1000000")
    seconds = million["seconds"] if million else None
    yield _target("nghttpd: a million, GO to every outcome durable, s", "≤ 12", seconds, lambda s: s <= 12)
    for name in figures["sinks"]:
        times = _times_best_peer(figures, name)
        yield _target(f"{name}: times the best of pyfcm and firebase-admin", "≥ 50", times, lambda t: t >= 50)
    yield _target("arm, recipients/s", "≥ 30,000", figures["arm_per_s"], lambda rate: rate >= 30_000)


def _costs(figures: Mapping[str, Any]) -> Iterator[Target]:
    runs = figures["sinks"].get("nghttpd", {}).get("e2e", {})
    cost = max((one["cpu_us_per_message"] for size, one in runs.items() if int(size) >= LARGE), default=None)
    yield _target("nghttpd: CPU per message, µs, everything but the sink", "≤ 15", cost, lambda us: us <= 15)
    for name, sink in figures["sinks"].items():
        spread = _spread([one["cpu_us_per_message"] for one in sink["e2e"].values()])
        yield _target(f"{name}: cost per message over the sizes, ± %", "≤ 15", spread, lambda percent: percent <= 15)
        spread = _spread([_cost_with_rows(one) for one in sink["e2e"].values()])
        yield _target(f"{name}: the same, ledger rows included, ± %", "≤ 15", spread, lambda percent: percent <= 15)
    for name, sink in figures["sinks"].items():
        growth = _spread([one["arm_peak_rss_mb"] for one in sink["e2e"].values()])
        yield _target(f"{name}: memory while arming over the sizes, ± %", "≤ 15", growth, lambda percent: percent <= 15)
    for name, sink in figures["sinks"].items():
        slowest = _expansion(sink)
        yield _target(f"{name}: ledger rows complete, s per million", "≤ 30", slowest, lambda s: s <= 30)


def _latencies(figures: Mapping[str, Any]) -> Iterator[Target]:
    yield _target("GO to the first request, ms", "≤ 100", figures["go_first_ms"], lambda ms: ms <= 100)
    yield _target("stop to the last request, ms", "≤ 1,000", figures["stop_last_ms"], lambda ms: ms <= 1000)


def _small_things(api: Mapping[str, Any]) -> Iterator[Target]:
    parts = api.get("cpu_us_by_part", {})
    yield _target("one notification at 100/s, CPU of all processes, ms", "≤ 6", _ms(api.get("cpu_us")), _at_most(6))
    yield _target("the same, web processes, ms", "≤ 2.5", _ms(parts.get("web")), _at_most(2.5))
    yield _target("one notification at 100/s to the provider, p50 ms", "≤ 20", api["p50_ms"], _at_most(20))
    yield _target("the same, p99 ms", "≤ 80", api["p99_ms"], _at_most(80))
    yield _target("single notifications without a queue, /s", "≥ 400", api.get("sustained_per_s"), _at_least(400))
    yield _target("bulk API, recipients/s", "≥ 10,000", api["bulk_per_s"], _at_least(10_000))
    yield _target("bulk API, CPU per recipient, µs", "≤ 190", api.get("bulk_cpu_us"), _at_most(190))


def _fairness(fairness: Mapping[str, Any]) -> Iterator[Target]:
    times = fairness.get("times_beside_bulk", {}).get("answer_p50_ms")
    yield _target("accept p50 beside another tenant's bulk, times alone", "≤ 2", times, _at_most(2))
    for load in ("bulk", "campaign"):
        wait = fairness.get(f"beside_{load}", {}).get("critical", {}).get("p95_ms")
        what = f"critical notification to the provider beside another tenant's {load}, p95 ms"
        yield _target(what, "≤ 1,000", wait, _at_most(1_000))


def _apns(apns: Mapping[str, Any]) -> Iterator[Target]:
    for sink in ("nginx", "nghttpd"):
        rate, cost = (apns.get(sink, {}).get(name) for name in ("times_rate", "times_cpu"))
        yield _target(f"APNs to {sink}: times FCM's rate", "≥ 0.85", rate, lambda times: times >= 0.85)
        yield _target(f"APNs to {sink}: times FCM's CPU", "≤ 1.2", cost, lambda times: times <= 1.2)


def _email(email: Mapping[str, Any]) -> Iterator[Target]:
    plain, tls = (email.get("campaigns", {}).get(kind, {}) for kind in ("plain", "tls"))
    yield _target("email, messages/s", "≥ 5,000", plain.get("per_s"), lambda rate: rate >= 5_000)
    yield _target("email over TLS, messages/s", "≥ 2,500", tls.get("per_s"), lambda rate: rate >= 2_500)
    cost = plain.get("cpu_us_per_message")
    yield _target("email: CPU per message, µs, everything but the sink", "≤ 150", cost, lambda us: us <= 150)
    for peer, least in (("django", 10), ("listmonk", 2)):
        per_s = email.get("peers", {}).get(peer, {}).get("per_s")
        times = plain["per_s"] / per_s if plain and per_s else None
        yield _target(f"email: times {peer}", f"≥ {least}", times, partial(operator.le, least))


def _target(what: str, wanted: str, value: float | None, enough: Callable[[float], bool]) -> Target:
    if value is None:
        return Target(what, wanted, "not measured", None)
    return Target(what, wanted, f"{value:,.3g}" if value < 100 else f"{value:,.0f}", enough(value))


def _in_app(campaigns: Mapping[str, Any]) -> Iterator[Target]:
    """The worst of the campaigns counts."""
    rate = min((run["per_s"] for run in campaigns.values()), default=None)
    cost = max((run["total_us"] for run in campaigns.values()), default=None)
    yield _target("in-app campaign, messages/s", "≥ 8,000", rate, _at_least(8_000))
    yield _target("the same, CPU per message with the ledger's rows, µs", "≤ 140", cost, _at_most(140))


def _sockets(sockets: Mapping[str, Any]) -> Iterator[Target]:
    idle, to_all = sockets.get("idle_ms_a_minute", {}), sockets.get("to_all_us", {})
    yield _target("idle inbox, CPU of the web process, ms a minute", "≤ 1", idle.get("web"), _at_most(1))
    yield _target("the same, KB", "≤ 45", sockets.get("kb_a_socket"), _at_most(45))
    core = sockets.get("idle_core") if sockets.get("sockets", 0) >= MANY_SOCKETS else None
    yield _target("10,000 idle inboxes in one process, cores", "< 0.2", core, lambda cores: cores < 0.2)
    connect = sum(sockets["connect_ms"].values()) if "connect_ms" in sockets else None
    yield _target("connect to the inbox, CPU of all processes, ms", "≤ 3", connect, _at_most(3))
    yield _target("connects to the inbox, /s", "≥ 300", sockets.get("connects_per_s"), _at_least(300))
    back = sockets.get("storm", {}).get("back_seconds")
    yield _target("a killed web process, all sockets back, s", "≤ 40", back, _at_most(40))
    yield _target("message to all sockets, the last one, s", "≤ 2", sockets.get("to_all_seconds"), _at_most(2))
    yield _target("the same, CPU of the web process, µs each", "≤ 200", to_all.get("web"), _at_most(200))


def _at_most(bound: float) -> Callable[[float], bool]:
    return lambda value: value <= bound


def _at_least(bound: float) -> Callable[[float], bool]:
    return lambda value: value >= bound


def _ms(us: float | None) -> float | None:
    return None if us is None else us / 1_000


def _cost_with_rows(run: Mapping[str, Any]) -> float:
    """Microseconds a message, the completion of the ledger's rows included."""
    return float(run["cpu_us_per_message"] + run["expansion_cpu_us_per_message"])


def _least(figures: Mapping[str, Any], name: str, key: str) -> float | None:
    """The smallest value among the large campaigns."""
    runs = figures["sinks"].get(name, {}).get("e2e", {})
    return min((run[key] for size, run in runs.items() if int(size) >= LARGE and run[key] is not None), default=None)


def _times_best_peer(figures: Mapping[str, Any], name: str) -> float | None:
    ours = _least(figures, name, "per_s")
    rates = [figures["peers"].get(peer, {}).get(name, {}).get("per_s") for peer in PYTHON_PEERS]
    best = max((rate for rate in rates if rate), default=None)
    return ours / best if ours and best else None


def _spread(values: list[float]) -> float | None:
    """± percent around the middle between the smallest and the largest value; None for a single value."""
    if len(values) < 2 or not sum(values):
        return None
    return (max(values) - min(values)) / (max(values) + min(values)) * 100


def _expansion(sink: Mapping[str, Any]) -> float | None:
    """Seconds per million rows, of the slowest large campaign; 0 when rows were complete at once."""
    large = [(int(size), one["expansion_s"] or 0.0) for size, one in sink["e2e"].items() if int(size) >= LARGE]
    return max((seconds * 1e6 / size for size, seconds in large), default=None)
