"""The largest campaign, armed and warm: GO to the first request, then stop to the last one, as the sink saw them."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from bench import campaign
from bench.campaign import Armed, TooLate
from bench.people import Crowd
from bench.sinks import Nginx
from bench.site import BenchSite
from notifier.demo.client import CallFailed

PATIENCE = 30.0
#: stopped when so much of it has left
STOP_AT = 0.2


@dataclass(frozen=True)
class Latency:
    """Milliseconds; None where it was over before it was stopped."""

    armed: int
    go_first_ms: float  #: GO pressed -> the first message begins to arrive
    go_answered_first_ms: float  #: GO answered -> the same; below zero when it began before the answer
    stop_last_ms: float | None  #: stop answered -> the last message begins to arrive; 0 when none did after it
    requests: int
    ledger: dict[str, int]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def run(site: BenchSite, crowd: Crowd, sink: Nginx) -> Latency:
    """GO, then stop. Nothing else leaves meanwhile."""
    armed = campaign.arm(site, crowd, "latency")
    before = sink.messages() or 0
    pressed = time.time()
    crowd.api.post(f"/v1/campaigns/{armed.id}/go")
    answered = time.time()
    _wait_for(sink, before + max(1, int(crowd.size * STOP_AT)))
    stopped = _stop(armed)
    with site.database() as database:
        campaign.settled(database, armed.id, PATIENCE + crowd.size / 5_000)
        ledger = campaign.ledger(database, armed.id)
    begun = sink.begun(before)
    return Latency(
        armed=crowd.size,
        go_first_ms=_ms(begun[0] - pressed),
        go_answered_first_ms=_ms(begun[0] - answered),
        stop_last_ms=None if stopped is None else max(0.0, _ms(begun[-1] - stopped)),
        requests=len(begun),
        ledger=ledger,
    )


def wrong(found: Latency) -> list[str]:
    """What was stopped is accounted for: sent is what arrived, and what may have arrived is called unknown."""
    sent, unknown = found.ledger.get("sent", 0), found.ledger.get("unknown", 0)
    problems = []
    if not sent <= found.requests <= sent + unknown:
        problems.append(f"stop: {found.requests} messages arrived, the ledger says {found.ledger}")
    if sum(found.ledger.values()) != found.armed:
        problems.append(f"stop: the ledger accounts for {sum(found.ledger.values())} of {found.armed}")
    return problems


def _wait_for(sink: Nginx, messages: int) -> None:
    until = time.monotonic() + PATIENCE
    while (sink.messages() or 0) < messages:
        if time.monotonic() > until:
            raise TooLate(f"{PATIENCE:.0f} s after GO, the sink has not seen {messages} messages")
        time.sleep(0.02)


def _stop(armed: Armed) -> float | None:
    """When the stop was answered."""
    try:
        armed.crowd.api.post(f"/v1/campaigns/{armed.id}/stop")
    except CallFailed:
        return None  # it had ended
    return time.time()


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
