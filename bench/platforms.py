"""The parts `apns` and `webpush`: campaigns to the devices of a platform, by turns with campaigns to FCM devices at the
same sink, so that the ratios are those of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import campaign
from bench.campaign import CampaignRun
from bench.record import campaign_entry, disagreements
from bench.sinks import Sink
from bench.site import BenchSite
from bench.tenants import BenchTenant
from notifier.local.console import Say

FCM = "fcm"


@dataclass(frozen=True)
class PlatformTenants:
    """Two tenants with as many recipients, of the platform and of FCM; and a small one of the platform, whose campaign
    warms connections and code."""

    platform: str
    measured: BenchTenant
    fcm: BenchTenant
    warm: BenchTenant


class PlatformBench:
    """`run()` measures one platform at one sink. `problems` holds what was wrong."""

    def __init__(self, site: BenchSite, tenants: PlatformTenants, sink: Sink, say: Say, turns: int) -> None:
        self.site, self.tenants, self.sink, self.say, self.turns = site, tenants, sink, say, turns
        self.problems: list[str] = []

    def run(self) -> dict[str, Any]:
        """The figures of the platform's part, as latest.json has them."""
        platform = self.tenants.platform
        campaign.send(self.site, campaign.arm(self.site, self.tenants.warm, f"warm {platform}"), self.sink.messages)
        runs: dict[str, list[CampaignRun]] = {FCM: [], platform: []}
        sink_us: dict[str, float] = dict.fromkeys(runs, 0.0)
        for turn in range(self.turns):
            for name, tenant in ((FCM, self.tenants.fcm), (platform, self.tenants.measured)):
                self.site.vacuum()
                armed = campaign.arm(self.site, tenant, f"{platform} beside fcm, {name} {turn}")
                before = self.sink.cpu_seconds
                run = campaign.send(self.site, armed, self.sink.messages)
                sink_us[name] += (self.sink.cpu_seconds - before) * 1e6 / tenant.size / self.turns
                runs[name].append(run)
                self.problems += [f"{platform}, {name}: {problem}" for problem in disagreements(run)]
                self.say(name, f"{tenant.size:,}: {run.per_s:,.0f}/s, {run.cpu_us:.1f} µs, arm {armed.per_s:,.0f}/s")
        return compare(runs[platform], runs[FCM]) | {
            "size": self.tenants.measured.size,
            "sink_cpu_us": {name: round(us, 2) for name, us in sink_us.items()},
            "runs": {name: [campaign_entry(run) for run in of_name] for name, of_name in runs.items()},
        }


def compare(platform: Sequence[CampaignRun], fcm: Sequence[CampaignRun]) -> dict[str, Any]:
    """The platform's mean rate and cost, and how many times those of FCM they are."""
    rate, cost, arm = _rate(platform), _cost(platform), _arm_rate(platform)
    return {
        "per_s": round(rate, 1),
        "cpu_us_per_message": round(cost, 2),
        "arm_per_s": round(arm, 1),
        "times_rate": round(rate / _rate(fcm), 3),
        "times_cpu": round(cost / _cost(fcm), 3),
        "times_arm_rate": round(arm / _arm_rate(fcm), 3),
    }


def _rate(runs: Sequence[CampaignRun]) -> float:
    return sum(run.sent for run in runs) / sum(run.seconds for run in runs)


def _cost(runs: Sequence[CampaignRun]) -> float:
    return sum(run.cpu_us for run in runs) / len(runs)


def _arm_rate(runs: Sequence[CampaignRun]) -> float:
    return sum(run.armed.tenant.size for run in runs) / sum(run.armed.seconds for run in runs)
