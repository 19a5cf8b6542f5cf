"""What follows from the facts. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from notifier.delivery.load_shedding.facts import Facts
from notifier.delivery.load_shedding.reports import WebReport
from notifier.vocabulary.load import LONGEST_SHEDDING, Level

#: load is shed when the facts have asked for it for so long, and no longer when they have not asked for it for so long
BEGIN_AFTER, END_AFTER = timedelta(seconds=5), timedelta(seconds=30)
#: while load is shed, the bounds are this share of the usual ones, so that the level does not change back and forth
CALM_SHARE = 0.5
#: after the longest time, work that waited has the machines for so long at least
REST = timedelta(minutes=5)
#: a web process with fewer requests in ten seconds says nothing about acceptance
FEWEST_REQUESTS = 20
#: the bound of the lag of event loops
LOOP_LAG_SECONDS = 0.5

#: causes, as the row, the log and the admin show them
BACKLOG, ACCEPT, LOOP_LAG, CALM, TOO_LONG = "backlog", "accept_latency", "event_loop", "calm", "longest_time"


@dataclass(frozen=True)
class Bounds:
    """Above these the installation is overloaded, in seconds; 0: never for this cause."""

    #: urgent messages of several tenants wait so long for a worker
    wait: float
    #: storing a tenant's notifications takes so long, in the median of the tenants and of the web processes
    accept: float
    #: event loops of web processes are so late, in their median
    loop_lag: float = LOOP_LAG_SECONDS


@dataclass(frozen=True)
class Decided:
    """The columns of the row that the sweep writes."""

    level: Level = Level.NORMAL
    at: datetime | None = None
    cause: str = ""
    asked_since: datetime | None = None


def find_cause(facts: Facts, bounds: Bounds, share: float = 1.0) -> str:
    """Why the installation is overloaded; empty when it is not."""
    if bounds.wait and _tenants_wait(facts, bounds.wait * share):
        return BACKLOG
    accepting = [report.accept for report in facts.web if _measures_acceptance(report, facts.tenants)]
    if _exceeds(accepting, bounds.accept * share):
        return ACCEPT
    return LOOP_LAG if _exceeds([report.loop_lag for report in facts.web], bounds.loop_lag * share) else ""


def _measures_acceptance(report: WebReport, tenants: int) -> bool:
    """False for few requests, and for those of one tenant where there are several: a tenant's own templates may be
    slow."""
    return report.requests >= FEWEST_REQUESTS and report.tenants >= tenants


def _tenants_wait(facts: Facts, bound: float) -> bool:
    """At least half of the tenants with urgent messages wait so long, and more than one tenant where there are several:
    one tenant's trouble is not the installation's. Shedding load gives a channel without a worker none."""
    waits = [wait for wait in facts.waits if wait.channel in facts.served]
    late = {wait.tenant for wait in waits if wait.exceeds(bound)}
    return len(late) >= max(1, facts.tenants) and 2 * len(late) >= len({wait.tenant for wait in waits})


def channels_without_worker(facts: Facts, bounds: Bounds) -> set[str]:
    """The channels whose urgent messages wait too long because no worker sends them."""
    late = {wait.channel for wait in facts.waits if bounds.wait and wait.exceeds(bounds.wait)}
    return late.difference(facts.served)


def _exceeds(values: Collection[float], bound: float) -> bool:
    return bool(bound and values and median(values) > bound)


def decide(old: Decided, facts: Facts, bounds: Bounds, now: datetime) -> Decided:
    """The new columns; equal to `old` when nothing changes."""
    return _end(old, facts, bounds, now) if old.level is Level.SHEDDING else _begin(old, facts, bounds, now)


def _begin(old: Decided, facts: Facts, bounds: Bounds, now: datetime) -> Decided:
    cause = find_cause(facts, bounds)
    rests = old.cause == TOO_LONG and old.at is not None and now < old.at + REST
    if not cause or rests:
        return Decided(old.level, old.at, old.cause)
    since = old.asked_since or now
    if now - since < BEGIN_AFTER:
        return Decided(old.level, old.at, old.cause, since)
    return Decided(Level.SHEDDING, now, cause)


def _end(old: Decided, facts: Facts, bounds: Bounds, now: datetime) -> Decided:
    if old.at is None or now >= old.at + LONGEST_SHEDDING:
        return Decided(Level.NORMAL, now, TOO_LONG)
    if find_cause(facts, bounds, CALM_SHARE):
        return Decided(old.level, old.at, old.cause)
    since = old.asked_since or now
    if now - since < END_AFTER:
        return Decided(old.level, old.at, old.cause, since)
    return Decided(Level.NORMAL, now, CALM)
