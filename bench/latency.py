"""The largest campaign, armed and warm: GO to the first request, then stop to the last one, by the sink's log."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from bench import campaign
from bench.campaign import ArmedCampaign, StepFailed
from bench.sinks import Nginx
from bench.site import BenchSite
from bench.tenants import BenchTenant
from notifier.demo.client import CallFailed

TIMEOUT = 30.0
#: share of the campaign after which it is stopped
STOP_AT = 0.2


@dataclass(frozen=True)
class Latency:
    """In milliseconds; None when the campaign ended before the stop."""

    armed: int
    go_first_ms: float  #: GO pressed -> the first message begins to arrive
    go_answered_first_ms: float  #: GO answered -> the same; negative when the message came before the answer
    stop_last_ms: float | None  #: stop answered -> the last message begins to arrive; 0 when none did after it
    requests: int
    ledger: dict[str, int]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def measure(site: BenchSite, tenant: BenchTenant, sink: Nginx) -> Latency:
    """GO, then stop. No other campaign sends meanwhile."""
    armed = campaign.arm(site, tenant, "latency")
    before = sink.messages() or 0
    pressed = time.time()
    tenant.api.post(f"/v1/campaigns/{armed.id}/go")
    answered = time.time()
    _wait_for(sink, before + max(1, int(tenant.size * STOP_AT)))
    stopped = _stop(armed)
    with site.database() as database:
        campaign.wait_settled(database, armed.id, TIMEOUT + tenant.size / 5_000)
        ledger = campaign.ledger_counts(database, armed.id)
    begun = sink.begun(before)
    return Latency(
        armed=tenant.size,
        go_first_ms=_ms(begun[0] - pressed),
        go_answered_first_ms=_ms(begun[0] - answered),
        stop_last_ms=None if stopped is None else max(0.0, _ms(begun[-1] - stopped)),
        requests=len(begun),
        ledger=ledger,
    )


def disagreements(latency: Latency) -> list[str]:
    """A stopped campaign must add up: `sent` messages arrived, and messages that may have arrived are `unknown`."""
    sent, unknown = latency.ledger.get("sent", 0), latency.ledger.get("unknown", 0)
    problems = []
    if not sent <= latency.requests <= sent + unknown:
        problems.append(f"stop: {latency.requests} messages arrived, the ledger says {latency.ledger}")
    if sum(latency.ledger.values()) != latency.armed:
        problems.append(f"stop: the ledger accounts for {sum(latency.ledger.values())} of {latency.armed}")
    return problems


def _wait_for(sink: Nginx, messages: int) -> None:
    until = time.monotonic() + TIMEOUT
    while (sink.messages() or 0) < messages:
        if time.monotonic() > until:
            raise StepFailed(f"{TIMEOUT:.0f} s after GO, the sink has not seen {messages} messages")
        time.sleep(0.02)


def _stop(armed: ArmedCampaign) -> float | None:
    """Unix time of the answer to the stop; None when the campaign had ended."""
    try:
        armed.tenant.api.post(f"/v1/campaigns/{armed.id}/stop")
    except CallFailed:
        return None
    return time.time()


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
