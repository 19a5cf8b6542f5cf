"""The short form of `make bench` runs to its end, reports every figure, and its counts agree. Times are not tested."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.sinks import installed
from bench.sinks.smtp import SmtpSink, Stunnel
from notifier.local.processes.programs import PROJECT

CAMPAIGN = {"per_s", "ratio", "cpu_us_per_message", "peak_rss_mb", "p50_ms", "p95_ms", "p99_ms"}
PEERS = {"pyfcm", "pyfcm_async", "firebase_admin", "firebase_admin_async", "notifier_curl", "node_firebase_admin"}


@pytest.fixture(scope="module")
def latest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not os.environ.get("NOTIFIER_RUN_BENCH"):
        pytest.skip("a minute and more: runs in CI (NOTIFIER_RUN_BENCH=1)")
    if not installed(()):
        pytest.skip("no nginx, nghttpd or caddy (apt-get install nginx-light nghttp2-server)")
    results = tmp_path_factory.mktemp("bench")
    env = {**os.environ, "BENCH_SHORT": "1", "BENCH_RESULTS": str(results)}
    done = subprocess.run([sys.executable, "-m", "bench"], cwd=PROJECT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return read(results)


def read(results: Path) -> dict[str, Any]:
    assert "### Targets" in (results / "table.md").read_text()
    latest: dict[str, Any] = json.loads((results / "latest.json").read_text())
    return latest


@pytest.mark.timeout(1200)
def test_each_sink_has_its_campaigns_and_its_count_is_the_ledgers(latest: dict[str, Any]) -> None:
    assert latest["sinks"].keys() == {sink.name for sink in installed(())}
    for name, sink in latest["sinks"].items():
        (size, run), = sink["e2e"].items()  # fmt: skip
        assert run.keys() >= CAMPAIGN
        assert run["ledger_sent"] == int(size)
        assert run["sink_requests"] == (None if name == "nghttpd" else int(size))
        assert sink["ceiling_per_s"] is None or sink["ceiling_per_s"] > 0


def test_the_sandbox_received_each_message_once(latest: dict[str, Any]) -> None:
    counts = latest["uniqueness"]
    assert counts["unique"] == counts["sent"] == counts["recipients"]
    assert counts["duplicates"] == 0


@pytest.mark.parametrize("platform", ["apns", "webpush"])
def test_each_platform_is_measured_beside_fcm(latest: dict[str, Any], platform: str) -> None:
    if not latest[platform]:
        pytest.skip("no nginx or nghttpd (apt-get install nginx-light nghttp2-server)")
    for figures in latest[platform].values():
        for runs in figures["runs"].values():
            assert [run["ledger_sent"] for run in runs] == [figures["size"]] * len(runs)


def test_every_peer_has_a_figure_or_a_reason(latest: dict[str, Any]) -> None:
    assert latest["peers"].keys() >= PEERS
    for by_sink in latest["peers"].values():
        assert by_sink.keys() == latest["sinks"].keys()
        assert all(figures["per_s"] or figures["reason"] for figures in by_sink.values())


def test_a_campaign_by_email_is_measured_beside_other_clients(latest: dict[str, Any]) -> None:
    if SmtpSink.program() is None:
        pytest.skip("no smtp-sink (apt-get install postfix)")
    email = latest["email"]
    plain = email["campaigns"]["plain"]
    assert plain["ledger_sent"] == plain["sink_requests"] > 0
    assert email["peers"].keys() == {"smtp-source", "django", "listmonk"}
    assert all(figures["per_s"] or figures["reason"] for figures in email["peers"].values())
    assert (Stunnel.program() is not None) == ("tls" in email["campaigns"])


def test_single_notifications_are_measured_by_rate_and_beside_another_tenants_load(latest: dict[str, Any]) -> None:
    if "nginx" not in latest["sinks"]:
        pytest.skip("no nginx (apt-get install nginx-light)")
    assert latest["api"]["steps"][0]["achieved_per_s"] > 0
    for load in ("alone", "beside_bulk", "beside_campaign"):
        assert latest["fairness"][load].keys() >= {"p50_ms", "answer_p50_ms", "critical"}
    if shutil.which("go"):
        assert latest["floor"]["steps"][0]["answer_p50_ms"] > 0


def test_campaigns_to_inboxes_are_measured(latest: dict[str, Any]) -> None:
    in_app = latest["in_app"]
    assert [run["ledger_sent"] for run in in_app["campaigns"].values()] == [in_app["size"]] * 2


def test_open_inboxes_are_measured(latest: dict[str, Any]) -> None:
    assert latest["sockets"]["connects_per_s"] > 0
    assert latest["sockets"]["storm"]["back_seconds"] > 0


def test_the_other_figures_are_there(latest: dict[str, Any]) -> None:
    assert latest["arm_per_s"] > 0
    assert latest["api"].keys() >= {"p50_ms", "p99_ms", "bulk_per_s"}
    assert all(latest["api"][name] > 0 for name in ("p50_ms", "p99_ms", "bulk_per_s"))
    assert {"go_first_ms", "stop_last_ms"} <= latest.keys()
    if "nginx" in latest["sinks"]:
        assert latest["latency"]["requests"] >= latest["latency"]["ledger"]["sent"]
    assert latest["problems"] == []
