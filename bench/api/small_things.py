"""The parts `api` and `fairness` of a run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from bench.api import bulk, fairness, floor, single, sustained
from bench.options import Options
from bench.record import Record
from bench.sinks import Nginx, Sandbox, Sink
from bench.site import BenchSite
from bench.tenants import BenchTenant
from notifier.local.console import Say
from notifier.vocabulary.status import Status

_SENT_SINGLY = "SELECT count(*) FROM notifier_delivery WHERE tenant_id = %s AND campaign_id IS NULL AND status = %s"


@dataclass(frozen=True)
class SmallTenants:
    """`single` sends single notifications through FCM, `apns` through APNs, `bulk` posts bulk requests, and `campaign`
    sends a campaign to all of its recipients."""

    single: BenchTenant
    apns: BenchTenant
    bulk: BenchTenant
    campaign: BenchTenant


class SmallThings:
    """Each method measures at one sink, and puts its figures and problems into the record."""

    def __init__(self, site: BenchSite, tenants: SmallTenants, options: Options, record: Record, say: Say) -> None:
        self.site, self.tenants, self.options, self.record, self.say = site, tenants, options, record, say

    def measure_single(self, sink: Sandbox) -> None:
        self._keep(single.measure_single(self.site, self.tenants.single, sink, self.options.api_seconds))
        api = self.record.figures["api"]
        waits = f"{api['p50_ms']} / {api['p99_ms']} ms to the provider"
        self.say("API", f"{single.PER_S}/s: {waits}, {api['cpu_us']:,.0f} µs a notification")

    def measure_bulk(self, sink: Sink) -> None:
        tenant = self.tenants.bulk
        with self.site.database() as database, self.site.measured("bulk") as meter:
            self._keep(bulk.measure_bulk(tenant, sink, lambda: sent_singly(database, tenant)))
        api = self.record.figures["api"]
        api["bulk_cpu_us"] = round(meter.per_message(api["bulk_recipients"]), 1)
        api["bulk_cpu_us_by_part"] = meter.parts_per_message(api["bulk_recipients"])
        self.say("bulk API", f"{sink.name}: {api['bulk_per_s']:,.0f}/s, {api['bulk_cpu_us']:,.0f} µs each")

    def measure_sustained(self, sink: Nginx) -> None:
        steps, seconds = self.options.api_steps, self.options.step_seconds
        self._keep(sustained.measure_sustained(self.site, self.tenants.apns, sink, steps, seconds, self.say))

    def measure_fairness(self, sink: Nginx) -> None:
        tenants = fairness.FairTenants(self.tenants.apns, self.tenants.bulk, self.tenants.campaign)
        with self.site.database() as database:
            bench = fairness.FairnessBench(self.site, tenants, sink, partial(sent_singly, database), self.say)
            self.record.figures["fairness"] = bench.figures
            try:
                bench.run(self.options.fairness_seconds)
            finally:
                self.record.problems += bench.problems

    def measure_floor(self) -> None:
        if "go" not in self.options.peers:
            return
        try:
            steps, seconds = self.options.api_steps, min(self.options.step_seconds, 2)
            figures = floor.measure_floor(self.site.root / "floor", steps, seconds)
        except floor.NoFloor as problem:
            self.say("floor", f"not measured: {problem}")
            return
        self.record.figures["floor"] = figures
        step = figures["steps"][0]
        self.say("floor", f"{step['per_s']}/s: {step['answer_p50_ms']} ms, at most {figures['highest_per_s']}/s")

    def _keep(self, outcome: tuple[dict[str, Any], list[str]]) -> None:
        self.record.figures["api"] |= self.record.take(outcome)


def sent_singly(database: psycopg.Connection[Any], tenant: BenchTenant) -> int:
    """The ledger's count of the tenant's sent messages that belong to no campaign."""
    row = database.execute(_SENT_SINGLY, [tenant.tenant_id, int(Status.SENT)]).fetchone()
    return int(row[0]) if row else 0
