"""What one tenant's load does to another tenant: 20 single notifications a second, every second one of them critical
(as a one-time code is), alone, beside another tenant's bulk, and beside another tenant's campaign.

The single notifications go through APNs to nginx, which logs the delivery of each; bulk and campaign go through FCM.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import campaign
from bench.api.arrivals import TIMEOUT, Arrivals, failed, load_spec, missing, wait_arrivals
from bench.api.bulk import CALLERS
from bench.load.process import Load
from bench.load.result import LoadResult, summary
from bench.load.spec import ITEMS_A_REQUEST, LoadSpec
from bench.sinks import Nginx
from bench.site import BenchSite
from bench.tenants import BenchTenant
from notifier.local.console import Say

PER_S, CONNECTIONS = 20, 8
TRANSACTIONAL, CRITICAL = "order-shipped", "one-time-code"
#: seconds of the load before the first measured request
LEAD = 0.5


@dataclass(frozen=True)
class FairTenants:
    """`single` sends single notifications, `bulk` posts bulk requests, `campaign` sends a campaign to all of its
    recipients."""

    single: BenchTenant
    bulk: BenchTenant
    campaign: BenchTenant


class FairnessBench:
    """`run()` returns the figures; `problems` holds what was wrong. `sent(tenant)` counts the ledger's single and bulk
    messages of a tenant that are sent."""

    def __init__(
        self, site: BenchSite, tenants: FairTenants, sink: Nginx, sent: Callable[[BenchTenant], int], say: Say
    ) -> None:
        self.site, self.tenants, self.sink, self.sent, self.say = site, tenants, sink, sent, say
        self.problems: list[str] = []
        self.figures: dict[str, Any] = {}

    def run(self, seconds: int) -> dict[str, Any]:
        self._single_load(PER_S)  # warms the path
        self._alone(seconds)
        self._beside_bulk(seconds)
        self._beside_campaign()
        alone = self.figures["alone"]
        for name in ("bulk", "campaign"):
            self.figures[f"times_beside_{name}"] = ratios(self.figures[f"beside_{name}"], alone)
        return self.figures

    def _alone(self, seconds: int) -> None:
        result = self._single_load(PER_S * seconds)
        self._keep("alone", result)

    def _beside_bulk(self, seconds: int) -> None:
        bulk = self.tenants.bulk
        before = self.sent(bulk)
        flood = load_spec(bulk, items=min(ITEMS_A_REQUEST, bulk.size), connections=CALLERS)
        with Load(flood) as load:
            time.sleep(LEAD)
            with self.site.measured("fairness, beside bulk"):
                result = self._single_load(PER_S * seconds)
            posted = load.stop()
        self._keep("beside_bulk", result)
        self.figures["bulk_accepted_per_s"] = round(posted.accepted / posted.seconds, 1) if posted.seconds else None
        self.figures["bulk_told_to_wait"] = len(posted.failed) - len(posted.errors())
        self.problems += failed("fairness, bulk", posted)
        self._drain(bulk, before + posted.accepted)

    def _beside_campaign(self) -> None:
        """The figures are those of the requests between GO and the last outcome."""
        armed = campaign.arm(self.site, self.tenants.campaign, "fairness")
        with Load(self._single_spec(0)) as load:
            time.sleep(LEAD)
            launched = time.time()
            run = campaign.send(self.site, armed, lambda: None)
            result = load.stop()
        self._keep("beside_campaign", result, since=launched, until=launched + run.seconds)
        self.figures |= {"campaign_size": self.tenants.campaign.size, "campaign_per_s": round(run.per_s, 1)}
        if run.sent != self.tenants.campaign.size:
            self.problems.append(f"fairness: of {self.tenants.campaign.size} recipients the ledger says {run.ledger}")

    def _single_spec(self, count: int) -> LoadSpec:
        templates = (TRANSACTIONAL, CRITICAL)
        return load_spec(self.tenants.single, templates=templates, per_s=PER_S, count=count, connections=CONNECTIONS)

    def _single_load(self, count: int) -> LoadResult:
        with Load(self._single_spec(count)) as load:
            return load.wait()

    def _keep(self, name: str, result: LoadResult, since: float = 0.0, until: float = float("inf")) -> None:
        """The figures are those of the requests that began in [since, until)."""
        arrived = wait_arrivals(self.sink.arrived, result.begun_at)
        self.problems += failed(f"fairness, {name}", result) + missing(f"fairness, {name}", result, arrived)
        self.figures[name] = by_template(result.select(since=since, until=until), arrived)
        self.say("fairness", f"{name}: {self.figures[name]}")

    def _drain(self, tenant: BenchTenant, accepted: int) -> None:
        """Wait until all that was posted is sent, so that it slows nothing else down."""
        until = time.monotonic() + TIMEOUT
        while (count := self.sent(tenant)) < accepted and time.monotonic() < until:
            time.sleep(0.2)
        if count != accepted:
            self.problems.append(f"fairness, bulk: of {accepted} accepted recipients {count} are sent")


def by_template(result: LoadResult, arrived: Arrivals) -> dict[str, Any]:
    """The waits of transactional notifications, and those of critical ones as `critical`."""
    figures = summary(result.select(TRANSACTIONAL), arrived)
    return {"requests": len(result.ids), **figures, "critical": summary(result.select(CRITICAL), arrived)}


def ratios(beside: dict[str, Any], alone: dict[str, Any]) -> dict[str, float | None]:
    """How many times as long as alone: each wait that both have."""
    return {
        name: round(value / alone[name], 2) if value is not None and alone.get(name) else None
        for name, value in beside.items()
        if name.endswith("_ms") and not name.startswith("bench_")
    }
