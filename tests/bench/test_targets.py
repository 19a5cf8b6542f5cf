"""Targets against measured figures."""

from __future__ import annotations

from typing import Any

from bench.targets import Target, targets


def campaign(**figures: Any) -> dict[str, Any]:
    usual = {"per_s": 60_000.0, "ratio": 0.7, "seconds": 5.0, "cpu_us_per_message": 12.0, "arm_peak_rss_mb": 100.0}
    usual["expansion_cpu_us_per_message"] = 50.0
    return {**usual, "expansion_s": 3.0, **figures}


def figures(**sinks: dict[str, Any]) -> dict[str, Any]:
    return {
        "sinks": {name: {"e2e": runs} for name, runs in sinks.items()},
        "peers": {"pyfcm": {"nginx": {"per_s": 1_000.0}, "nghttpd": {"per_s": None, "reason": "none"}}},
        "arm_per_s": 31_000.0,
        "go_first_ms": 90.0,
        "stop_last_ms": 0.0,
        "api": {
            "p50_ms": 20.0,
            "p99_ms": 81.0,
            "bulk_per_s": None,
            "cpu_us": 6_100.0,
            "cpu_us_by_part": {"web": 2_500.0},
        },
        "fairness": None,
        "in_app": None,
        "sockets": None,
        "apns": None,
        "webpush": None,
        "email": None,
    }


def judged(measured: dict[str, Any]) -> dict[str, Target]:
    return {target.what: target for target in targets(measured)}


def test_a_target_without_a_measurement_is_neither_met_nor_missed() -> None:
    by_name = judged(figures())
    assert by_name["bulk API, recipients/s"].met is None
    assert by_name["nginx: share of the ceiling, 300,000 and more"].measured == "not measured"


def test_a_value_equal_to_its_bound_meets_the_target() -> None:
    by_name = judged(figures())
    assert by_name["one notification at 100/s to the provider, p50 ms"].met is True
    assert by_name["the same, p99 ms"].met is False
    assert by_name["stop to the last request, ms"].met is True
    assert by_name["one notification at 100/s, CPU of all processes, ms"].measured == "6.1"
    assert by_name["one notification at 100/s, CPU of all processes, ms"].met is False
    assert by_name["the same, web processes, ms"].met is True


def test_the_worst_of_the_large_campaigns_counts_and_small_ones_do_not() -> None:
    runs = {
        "30000": campaign(ratio=0.1),
        "300000": campaign(ratio=0.7),
        "1000000": campaign(ratio=0.59, cpu_us_per_message=15.1, expansion_s=31.0),
    }
    by_name = judged(figures(nginx=runs, nghttpd=runs))
    assert by_name["nginx: share of the ceiling, 300,000 and more"].met is False
    assert by_name["nghttpd: CPU per message, µs, everything but the sink"].measured == "15.1"
    assert by_name["nginx: ledger rows complete, s per million"].met is False


def test_we_are_compared_with_the_best_peer_at_the_same_sink() -> None:
    by_name = judged(figures(nginx={"300000": campaign(per_s=50_000.0)}, nghttpd={"300000": campaign()}))
    assert by_name["nginx: times the best of pyfcm and firebase-admin"].measured == "50"
    assert by_name["nginx: times the best of pyfcm and firebase-admin"].met is True
    assert by_name["nghttpd: times the best of pyfcm and firebase-admin"].met is None


def test_the_cost_may_vary_by_15_percent_around_its_middle() -> None:
    flat = {"30000": campaign(cpu_us_per_message=11.5), "300000": campaign(cpu_us_per_message=8.5)}
    assert judged(figures(nginx=flat))["nginx: cost per message over the sizes, ± %"].met is True
    steep = {"30000": campaign(cpu_us_per_message=12.0), "300000": campaign(cpu_us_per_message=8.5)}
    assert judged(figures(nginx=steep))["nginx: cost per message over the sizes, ± %"].met is False


def test_the_rows_of_the_ledger_belong_to_the_cost_of_a_message() -> None:
    runs = {"30000": campaign(), "4000000": campaign(expansion_cpu_us_per_message=77.0)}
    by_name = judged(figures(nghttpd=runs))
    assert by_name["nghttpd: cost per message over the sizes, ± %"].met is True
    assert by_name["nghttpd: the same, ledger rows included, ± %"].met is False


def test_a_neighbour_may_wait_twice_as_long_and_a_code_one_second() -> None:
    beside = {"times_beside_bulk": {"answer_p50_ms": 2.1}, "beside_campaign": {"critical": {"p95_ms": 999.0}}}
    by_name = judged({**figures(), "fairness": beside})
    assert by_name["accept p50 beside another tenant's bulk, times alone"].met is False
    assert by_name["critical notification to the provider beside another tenant's campaign, p95 ms"].met is True
    assert by_name["critical notification to the provider beside another tenant's bulk, p95 ms"].met is None


def test_a_socket_is_judged_by_its_web_process_and_a_connect_by_all_processes() -> None:
    sockets = {"sockets": 100, "idle_core": 0.01, "idle_ms_a_minute": {"web": 0.9, "postgres": 3.0}, "kb_a_socket": 46}
    sockets["connect_ms"] = {"web": 2.0, "postgres": 1.1}
    by_name = judged({**figures(), "sockets": sockets})
    assert by_name["idle inbox, CPU of the web process, ms a minute"].met is True
    assert by_name["connect to the inbox, CPU of all processes, ms"].met is False
    assert by_name["10,000 idle inboxes in one process, cores"].met is None


def test_the_worst_campaign_to_inboxes_counts() -> None:
    campaigns = {"first": {"per_s": 7_999.0, "total_us": 139.0}, "second": {"per_s": 9_000.0, "total_us": 120.0}}
    by_name = judged({**figures(), "in_app": {"campaigns": campaigns}})
    assert by_name["in-app campaign, messages/s"].met is False
    assert by_name["the same, CPU per message with the ledger's rows, µs"].met is True


def test_mail_is_compared_with_the_other_clients_of_the_same_run() -> None:
    plain, tls = {"per_s": 5_000.0, "cpu_us_per_message": 151.0}, {"per_s": 2_400.0}
    peers = {"django": {"per_s": 500.0}, "listmonk": {"per_s": None, "reason": "not installed"}}
    by_name = judged({**figures(), "email": {"campaigns": {"plain": plain, "tls": tls}, "peers": peers}})
    met = {what: target.met for what, target in by_name.items() if "email" in what}
    assert met == {
        "email, messages/s": True,
        "email over TLS, messages/s": False,
        "email: CPU per message, µs, everything but the sink": False,
        "email: times django": True,
        "email: times listmonk": None,
    }
