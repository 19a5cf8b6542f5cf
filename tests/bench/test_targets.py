"""What was wanted and what was measured."""

from __future__ import annotations

from typing import Any

from bench.targets import Target, targets


def campaign(**figures: Any) -> dict[str, Any]:
    usual = {"per_s": 60_000.0, "ratio": 0.7, "seconds": 5.0, "cpu_us_per_message": 12.0, "arm_peak_rss_mb": 100.0}
    return {**usual, "expansion_s": 3.0, **figures}


def found(**sinks: dict[str, Any]) -> dict[str, Any]:
    return {
        "sinks": {name: {"e2e": runs} for name, runs in sinks.items()},
        "peers": {"pyfcm": {"nginx": {"per_s": 1_000.0}, "nghttpd": {"per_s": None, "reason": "none"}}},
        "arm_per_s": 31_000.0,
        "go_first_ms": 90.0,
        "stop_last_ms": 0.0,
        "api": {"p50_ms": 20.0, "p99_ms": 101.0, "bulk_per_s": None},
    }


def judged(measured: dict[str, Any]) -> dict[str, Target]:
    return {one.what: one for one in targets(measured)}


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    told = judged(found())
    assert told["bulk API, recipients/s"].met is None
    assert told["nginx: share of the ceiling, 300,000 and more"].measured == "not measured"


def test_bounds_belong_to_what_is_wanted() -> None:
    told = judged(found())
    assert told["one API notification to the provider, p50 ms"].met is True
    assert told["the same, p99 ms"].met is False
    assert told["stop to the last request, ms"].met is True


def test_the_worst_of_the_large_campaigns_counts_and_small_ones_do_not() -> None:
    runs = {
        "30000": campaign(ratio=0.1),
        "300000": campaign(ratio=0.7),
        "1000000": campaign(ratio=0.59, cpu_us_per_message=15.1, expansion_s=31.0),
    }
    told = judged(found(nginx=runs, nghttpd=runs))
    assert told["nginx: share of the ceiling, 300,000 and more"].met is False
    assert told["nghttpd: CPU per message, µs, everything but the sink"].measured == "15.1"
    assert told["nginx: ledger rows complete, s per million"].met is False


def test_we_are_compared_with_the_best_peer_at_the_same_sink() -> None:
    told = judged(found(nginx={"300000": campaign(per_s=50_000.0)}, nghttpd={"300000": campaign()}))
    assert told["nginx: times the best of pyfcm and firebase-admin"].measured == "50"
    assert told["nginx: times the best of pyfcm and firebase-admin"].met is True
    assert told["nghttpd: times the best of pyfcm and firebase-admin"].met is None


def test_the_cost_may_vary_so_much_around_its_middle() -> None:
    flat = {"30000": campaign(cpu_us_per_message=11.5), "300000": campaign(cpu_us_per_message=8.5)}
    assert judged(found(nginx=flat))["nginx: cost per message over the sizes, ± %"].met is True
    steep = {"30000": campaign(cpu_us_per_message=12.0), "300000": campaign(cpu_us_per_message=8.5)}
    assert judged(found(nginx=steep))["nginx: cost per message over the sizes, ± %"].met is False
