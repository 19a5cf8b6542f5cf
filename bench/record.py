"""The figures of a run, with every key of latest.json from the start, and its problems."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import psutil

from bench.campaign import CampaignRun, time_shares
from bench.options import Options
from notifier.local.servers.binaries import postgres_major

PACKAGES = ("django", "celery", "kombu", "redis", "psycopg", "uvicorn", "hpack", "pyfcm")


@dataclass
class Record:
    """`figures` becomes latest.json. A run with `problems` has failed, whatever its figures."""

    figures: dict[str, Any]
    problems: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, options: Options, versions: dict[str, str]) -> Record:
        empty: dict[str, Any] = {
            "sinks": {name: {"ceiling_per_s": None, "ceiling_runs_per_s": [], "e2e": {}} for name in versions},
            "peers": {},
            "arm_per_s": None,
            "recipient_bytes": None,
            "go_first_ms": None,
            "stop_last_ms": None,
            "api": {"p50_ms": None, "p99_ms": None, "bulk_per_s": None, "sustained_per_s": None},
            "floor": None,
            "fairness": None,
            "in_app": None,
            "sockets": None,
            "socket_peers": {},
            "uniqueness": None,
            "latency": None,
            "apns": None,
            "webpush": None,
            "email": None,
        }
        return cls({**empty, "targets": [], "problems": [], "environment": describe_machine(options, versions)})

    def take(self, outcome: tuple[dict[str, Any], list[str]]) -> dict[str, Any]:
        """Keep the problems, return the figures."""
        figures, problems = outcome
        self.problems += problems
        return figures

    def ceiling(self, sink: str, per_s: float) -> None:
        entry = self.figures["sinks"][sink]
        rates = entry["ceiling_runs_per_s"]
        rates.append(round(per_s, 1))
        entry["ceiling_per_s"] = round(sum(rates) / len(rates), 1)

    def campaign(self, sink: str, run: CampaignRun) -> None:
        size = run.armed.tenant.size
        self.figures["sinks"][sink]["e2e"][str(size)] = campaign_entry(run)
        self.problems += [f"{sink}, {size}: {problem}" for problem in disagreements(run)]

    def finish(self) -> None:
        """The figures that need all parts: the ratios, and the arm rate, the worst of the largest campaigns."""
        armed: dict[int, list[float]] = {}
        for sink in self.figures["sinks"].values():
            for size, run in sink["e2e"].items():
                run["ratio"] = round(run["per_s"] / sink["ceiling_per_s"], 3) if sink["ceiling_per_s"] else None
                armed.setdefault(int(size), []).append(run["arm_per_s"])
        self.figures["arm_per_s"] = min(armed[max(armed)]) if armed else None
        self.figures["problems"] = self.problems


def campaign_entry(run: CampaignRun) -> dict[str, Any]:
    """One campaign in latest.json. `time_shares`: the share of the time after which 50 % and 95 % had their outcome."""
    size = run.armed.tenant.size
    return {
        "per_s": round(run.per_s, 1),
        "ratio": None,
        "seconds": round(run.seconds, 3),
        "cpu_us_per_message": round(run.cpu_us, 2),
        "cpu_us_by_part": run.cpu_us_by_part,
        "peak_rss_mb": round(run.peak_rss_mb, 1),
        **{name: run.results.get(name) for name in ("p50_ms", "p95_ms", "p99_ms")},
        "arm_per_s": round(run.armed.per_s, 1),
        "arm_peak_rss_mb": round(run.armed.peak_rss_mb, 1),
        "expansion_s": None if run.expansion_seconds is None else round(run.expansion_seconds, 3),
        "expansion_cpu_us_per_message": round(run.expansion_cpu_us, 2),
        "time_shares": dict(zip(("50", "95"), time_shares(run.curve, (0.5, 0.95)), strict=True)),
        "disk_bytes_per_message": round(run.disk_bytes / size, 1),
        "ledger_sent": run.sent,
        "sink_requests": run.requests,
        "curve": [[at, round(rate)] for at, rate in run.curve],
    }


def disagreements(run: CampaignRun) -> list[str]:
    """The sink and the ledger must agree to the message, and every recipient must have got the message."""
    problems = []
    if run.sent != run.armed.tenant.size:
        problems.append(f"the ledger says {run.ledger}, and all of {run.armed.tenant.size} could be reached")
    if run.requests is not None and run.requests != run.sent:
        problems.append(f"the sink had {run.requests} requests, the ledger says {run.sent} sent")
    return problems


def describe_machine(options: Options, versions: dict[str, str]) -> dict[str, Any]:
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "short": options.short,
        "parts": list(options.parts),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / (1 << 30), 1),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgresql": postgres_major(),
        "sinks": versions,
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
