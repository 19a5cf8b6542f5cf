"""One campaign, armed, launched and awaited through the API: its times, its cost and its counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeVar

import psycopg

from bench.site import BenchSite
from bench.tenants import BenchTenant
from notifier.vocabulary.status import Status

T = TypeVar("T")

POLL = 0.01  #: seconds between two queries of a campaign's row, short: work after its end must not count as its cost
CURVE_STEP = 0.25  #: seconds
ENDED = frozenset({"finished", "cancelled", "failed", "paused"})


@dataclass(frozen=True)
class Kind:
    """The channel of a campaign, the template that it sends, and the workers that send it."""

    channel: str
    template: str

    @property
    def worker(self) -> str:
        return f"worker:{self.channel}.bulk"


PUSH, EMAIL = Kind("push", "big-game"), Kind("email", "newsletter")


class StepFailed(Exception):
    """A step of the bench failed, or did not end in time."""


@dataclass
class ArmedCampaign:
    """A campaign that waits for GO."""

    id: str
    tenant: BenchTenant
    seconds: float
    peak_rss_mb: float
    kind: Kind = PUSH
    database_bytes: int = 0  #: the size of the database before

    @property
    def per_s(self) -> float:
        return self.tenant.size / self.seconds


@dataclass
class CampaignRun:
    """A campaign that was sent."""

    armed: ArmedCampaign
    requests: int | None  #: by the sink's own count
    ledger: dict[str, int]  #: status -> messages
    seconds: float  #: GO -> every outcome durable
    expansion_seconds: float | None  #: from there until the ledger's rows are complete; None: at once
    results: dict[str, Any] = field(repr=False)
    cpu_us: float = 0.0
    cpu_us_by_part: dict[str, float] = field(default_factory=dict)
    expansion_cpu_us: float = 0.0
    peak_rss_mb: float = 0.0
    curve: list[tuple[float, float]] = field(default_factory=list, repr=False)
    disk_bytes: int = 0  #: by which arming, sending and accounting made the database larger

    @property
    def sent(self) -> int:
        return self.ledger.get("sent", 0) + self.ledger.get("delivered", 0)

    @property
    def per_s(self) -> float:
        return self.sent / self.seconds if self.seconds else 0.0


def arm(site: BenchSite, tenant: BenchTenant, name: str, kind: Kind = PUSH) -> ArmedCampaign:
    """Create and arm a campaign to all recipients of the tenant. Raises StepFailed."""
    campaign = {"name": name, "template": kind.template, "audience": tenant.audience, "channels": [kind.channel]}
    campaign_id = tenant.api.post("/v1/campaigns", campaign)["id"]
    every_worker = [name for name in site.pids_by_part if name.startswith("worker:")]
    database_bytes = site.database_bytes()
    with site.database() as database, site.measured(f"{kind.channel}: arm {tenant.size:,}", *every_worker) as meter:
        began = time.monotonic()
        tenant.api.post(f"/v1/campaigns/{campaign_id}/arm")
        state = wait_until(
            lambda: _state(database, campaign_id), lambda state: state != "arming", 60 + tenant.size / 500
        )
        seconds = time.monotonic() - began
    if state != "armed":
        raise StepFailed(f"arming failed: {tenant.api.get(f'/v1/campaigns/{campaign_id}')['failure']}")
    return ArmedCampaign(campaign_id, tenant, seconds, meter.peak_rss_mb, kind, database_bytes)


def send(site: BenchSite, armed: ArmedCampaign, messages: Callable[[], int | None]) -> CampaignRun:
    """Launch, and wait until every outcome is stored. `messages`: the sink's count. Raises StepFailed."""
    before = messages()
    with site.database() as database:
        with site.measured(f"{armed.kind.channel}: send {armed.tenant.size:,}", armed.kind.worker) as meter:
            armed.tenant.api.post(f"/v1/campaigns/{armed.id}/go")
            state = wait_until(lambda: _state(database, armed.id), ENDED.__contains__, 60 + armed.tenant.size / 500)
        if state != "finished":
            raise StepFailed(
                f"{armed.tenant.size} recipients: the campaign is {state}, {ledger_counts(database, armed.id)}"
            )
        with site.measured(f"{armed.kind.channel}: ledger rows of {armed.tenant.size:,}") as after:
            expansion = _expansion_seconds(database, armed)
        run = _collect_run(database, armed, before, messages())
    run.expansion_seconds, run.peak_rss_mb = expansion, meter.peak_rss_mb
    run.cpu_us, run.cpu_us_by_part = meter.per_message(armed.tenant.size), meter.parts_per_message(armed.tenant.size)
    run.expansion_cpu_us = after.per_message(armed.tenant.size)
    run.disk_bytes = site.database_bytes() - armed.database_bytes
    return run


def _collect_run(
    database: psycopg.Connection[Any], armed: ArmedCampaign, before: int | None, after: int | None
) -> CampaignRun:
    seconds = _value(
        database,
        "SELECT extract(epoch FROM finished_at - launched_at)::float FROM campaigns_campaign WHERE id = %s",
        armed.id,
    )
    return CampaignRun(
        armed=armed,
        requests=None if before is None or after is None else after - before,
        ledger=ledger_counts(database, armed.id),
        seconds=float(seconds or 0.0),
        expansion_seconds=None,
        results=armed.tenant.api.get(f"/v1/campaigns/{armed.id}/results"),
        curve=_curve(database, armed.id),
    )


def ledger_counts(database: psycopg.Connection[Any], campaign_id: str) -> dict[str, int]:
    """status -> rows of the ledger."""
    rows = database.execute(
        "SELECT status, count(*) FROM notifier_delivery WHERE campaign_id = %s GROUP BY 1", [campaign_id]
    )
    return {Status(status).label: count for status, count in rows}


def wait_until(look: Callable[[], T], done: Callable[[T], bool], seconds: float) -> T:
    """Call `look` until `done` holds for its result; returns that result. Raises StepFailed."""
    until = time.monotonic() + seconds
    while not done(value := look()):
        if time.monotonic() > until:
            raise StepFailed(f"still {value} after {seconds:.0f} s")
        time.sleep(POLL)
    return value


def wait_settled(database: psycopg.Connection[Any], campaign_id: str, seconds: float) -> None:
    """Wait until every row of the campaign in the ledger is final."""
    waiting = {Status(s).label for s in (Status.ARMED, Status.QUEUED, Status.CLAIMED, Status.SENDING)}
    wait_until(lambda: waiting & set(ledger_counts(database, campaign_id)), lambda left: not left, seconds)


def _state(database: psycopg.Connection[Any], campaign_id: str) -> str:
    return str(_value(database, "SELECT state FROM campaigns_campaign WHERE id = %s", campaign_id))


def _expansion_seconds(database: psycopg.Connection[Any], armed: ArmedCampaign) -> float | None:
    """Seconds from the last outcome to the last row of the ledger."""
    query = "SELECT extract(epoch FROM accounted_at - finished_at)::float FROM campaigns_campaign WHERE id = %s"
    timeout = 60 + armed.tenant.size / 5_000
    try:
        return float(
            wait_until(lambda: _value(database, query, armed.id), lambda seconds: seconds is not None, timeout)
        )
    except psycopg.errors.UndefinedColumn:
        wait_settled(database, armed.id, 60.0)
        return None


_CURVE = """
SELECT floor(extract(epoch FROM d.settled_at - c.launched_at) / %s)::int, count(*)
FROM notifier_delivery d JOIN campaigns_campaign c ON c.id = d.campaign_id
WHERE d.campaign_id = %s AND d.settled_at IS NOT NULL GROUP BY 1 ORDER BY 1
"""


def _curve(database: psycopg.Connection[Any], campaign_id: str) -> list[tuple[float, float]]:
    """(seconds since GO, messages per second)."""
    counts = {max(0, step): count for step, count in database.execute(_CURVE, [CURVE_STEP, campaign_id])}
    return [(step * CURVE_STEP, counts.get(step, 0) / CURVE_STEP) for step in range(max(counts, default=-1) + 1)]


def time_shares(curve: Sequence[tuple[float, float]], shares: Sequence[float]) -> list[float | None]:
    """For each share of the messages: the share of the time, from GO to the last outcome, after which so many had their
    outcome. A campaign that keeps its rate has 0.5 for 0.5."""
    total = sum(rate for _, rate in curve)
    if not total:
        return [None for _ in shares]
    done = list(accumulate(rate / total for _, rate in curve))
    return [round((_step_of(done, share) + 1) / len(curve), 2) for share in shares]


def _step_of(done: Sequence[float], share: float) -> float:
    """The step in which the share was reached, with the fraction of the step before."""
    step = next(number for number, value in enumerate(done) if value >= share - 1e-9)
    before = done[step - 1] if step else 0.0
    return step - 1 + (share - before) / (done[step] - before)


def _value(database: psycopg.Connection[Any], query: str, campaign_id: str) -> Any:
    row = database.execute(query, [campaign_id]).fetchone()
    return row[0] if row else None
