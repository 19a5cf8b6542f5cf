"""One campaign: armed, launched and waited for through the API; its times, its cost and its account."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg

from bench.meter import Meter
from bench.people import Crowd
from bench.site import BenchSite
from notifier.vocabulary.status import Status

T = TypeVar("T")

LOOK = 0.01  #: seconds between two looks at a campaign's row: what follows its end must not count as its own
BIN = 0.25  #: seconds of one step of the curve
ENDED = frozenset({"finished", "cancelled", "failed", "paused"})
BULK = "worker:push.bulk"


class TooLate(Exception):
    """It did not come, or not in time."""


@dataclass
class Armed:
    """A campaign ready to go."""

    id: str
    crowd: Crowd
    seconds: float
    peak_rss_mb: float

    @property
    def per_s(self) -> float:
        return self.crowd.size / self.seconds


@dataclass
class Run:
    """A campaign that has left."""

    armed: Armed
    requests: int | None  #: by the sink's own count
    ledger: dict[str, int]  #: status -> messages
    seconds: float  #: GO -> every outcome durable
    expansion_seconds: float | None  #: from there until the ledger's rows say so as well; None: they did at once
    results: dict[str, Any] = field(repr=False)
    cpu_us: float = 0.0
    cpu_us_by_part: dict[str, float] = field(default_factory=dict)
    expansion_cpu_us: float = 0.0
    peak_rss_mb: float = 0.0
    curve: list[tuple[float, float]] = field(default_factory=list, repr=False)

    @property
    def sent(self) -> int:
        return self.ledger.get("sent", 0) + self.ledger.get("delivered", 0)

    @property
    def per_s(self) -> float:
        return self.sent / self.seconds if self.seconds else 0.0


def arm(site: BenchSite, crowd: Crowd, name: str) -> Armed:
    """A campaign to everybody of the crowd, armed."""
    asked = {"name": name, "template": "big-game", "audience": crowd.audience, "channels": ["push"]}
    campaign_id = crowd.api.post("/v1/campaigns", asked)["id"]
    every_worker = [name for name in site.roots if name.startswith("worker:")]
    with site.database() as database, Meter(site.roots, *every_worker) as meter:
        began = time.monotonic()
        crowd.api.post(f"/v1/campaigns/{campaign_id}/arm")
        state = wait(lambda: _state(database, campaign_id), lambda seen: seen != "arming", 60 + crowd.size / 500)
        seconds = time.monotonic() - began
    if state != "armed":
        raise TooLate(f"arming failed: {crowd.api.get(f'/v1/campaigns/{campaign_id}')['failure']}")
    return Armed(campaign_id, crowd, seconds, meter.peak_rss_mb)


def send(site: BenchSite, armed: Armed, messages: Callable[[], int | None]) -> Run:
    """GO, and wait until everything is written down."""
    before = messages()
    with site.database() as database:
        with Meter(site.roots, BULK) as meter:
            armed.crowd.api.post(f"/v1/campaigns/{armed.id}/go")
            state = wait(lambda: _state(database, armed.id), ENDED.__contains__, 60 + armed.crowd.size / 500)
        if state != "finished":
            raise TooLate(f"{armed.crowd.size} recipients: the campaign is {state}, {ledger(database, armed.id)}")
        with Meter(site.roots) as after:
            expansion = _accounted(database, armed)
        run = _account(database, armed, before, messages())
    run.expansion_seconds, run.peak_rss_mb = expansion, meter.peak_rss_mb
    run.cpu_us, run.cpu_us_by_part = meter.per_message(armed.crowd.size), meter.parts_per_message(armed.crowd.size)
    run.expansion_cpu_us = after.per_message(armed.crowd.size)
    return run


def _account(database: psycopg.Connection[Any], armed: Armed, before: int | None, after: int | None) -> Run:
    seconds = _one(
        database,
        "SELECT extract(epoch FROM finished_at - launched_at)::float FROM campaigns_campaign WHERE id = %s",
        armed.id,
    )
    return Run(
        armed=armed,
        requests=None if before is None or after is None else after - before,
        ledger=ledger(database, armed.id),
        seconds=float(seconds or 0.0),
        expansion_seconds=None,
        results=armed.crowd.api.get(f"/v1/campaigns/{armed.id}/results"),
        curve=_curve(database, armed.id),
    )


def ledger(database: psycopg.Connection[Any], campaign_id: str) -> dict[str, int]:
    """status -> rows of the ledger."""
    rows = database.execute(
        "SELECT status, count(*) FROM notifier_delivery WHERE campaign_id = %s GROUP BY 1", [campaign_id]
    )
    return {Status(status).label: count for status, count in rows}


def wait(look: Callable[[], T], done: Callable[[T], bool], seconds: float) -> T:
    """Look until it is done; returns what was seen then. Raises TooLate."""
    until = time.monotonic() + seconds
    while not done(seen := look()):
        if time.monotonic() > until:
            raise TooLate(f"still {seen} after {seconds:.0f} s")
        time.sleep(LOOK)
    return seen


def settled(database: psycopg.Connection[Any], campaign_id: str, seconds: float) -> None:
    """Wait until no row of the ledger waits for anything."""
    waiting = {Status(s).label for s in (Status.ARMED, Status.QUEUED, Status.CLAIMED, Status.SENDING)}
    wait(lambda: waiting & set(ledger(database, campaign_id)), lambda left: not left, seconds)


def _state(database: psycopg.Connection[Any], campaign_id: str) -> str:
    return str(_one(database, "SELECT state FROM campaigns_campaign WHERE id = %s", campaign_id))


def _accounted(database: psycopg.Connection[Any], armed: Armed) -> float | None:
    """Seconds from the last outcome to the last row of the ledger."""
    query = "SELECT extract(epoch FROM accounted_at - finished_at)::float FROM campaigns_campaign WHERE id = %s"
    patience = 60 + armed.crowd.size / 5_000
    try:
        return float(wait(lambda: _one(database, query, armed.id), lambda seconds: seconds is not None, patience))
    except psycopg.errors.UndefinedColumn:
        settled(database, armed.id, 60.0)
        return None


_CURVE = """
SELECT floor(extract(epoch FROM d.settled_at - c.launched_at) / %s)::int, count(*)
FROM notifier_delivery d JOIN campaigns_campaign c ON c.id = d.campaign_id
WHERE d.campaign_id = %s AND d.settled_at IS NOT NULL GROUP BY 1 ORDER BY 1
"""


def _curve(database: psycopg.Connection[Any], campaign_id: str) -> list[tuple[float, float]]:
    """(seconds since GO, messages per second)."""
    counts = {max(0, step): count for step, count in database.execute(_CURVE, [BIN, campaign_id])}
    return [(step * BIN, counts.get(step, 0) / BIN) for step in range(max(counts, default=-1) + 1)]


def _one(database: psycopg.Connection[Any], query: str, campaign_id: str) -> Any:
    row = database.execute(query, [campaign_id]).fetchone()
    return row[0] if row else None
