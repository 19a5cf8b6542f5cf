"""How much of everything a blast of a given size and time needs: arithmetic over figures that were measured.

The figures stand here and nowhere else. Preflight and `manage.py plan_capacity` say what follows from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from campaigns.templatetags.figures import duration
from notifier.errors import InvalidInput

#: more than everybody, and so a slip of the keyboard
MOST = 10_000_000_000
#: the last shard's doorbell is published within this share of the time: workers that wait for work send nothing
DISPATCH_SHARE = 0.2
#: from a machine on the same continent to FCM and back, until a silent run has shown it
ROUND_TRIP_MS = 75.0


@dataclass(frozen=True)
class Figures:
    """What one part of the machinery does. Measured on two shared cores, each with where it comes from."""

    #: messages a second of one bulk worker process: two of them did 54 to 96 k/s from GO to durable outcomes (a
    #: million, slow and good hours), PostgreSQL, Valkey and nghttpd as the far end on the same two cores
    per_worker: float = 32_500.0
    #: µs of PostgreSQL's CPU a message, for outcomes that are durable with the shard: 1.9 to 3.7 at a million
    database_us: float = 3.5
    #: streams that Google allows on one connection (GOAWAY above; firebase-admin-node#2943, fcm-v1-http2#8)
    streams: int = 100
    #: doorbells a second that one control process publishes: 30 ms for the first 100 of a chord, 1,750/s after that
    published: float = 1_750.0
    #: seconds from GO to the first request with warm connections and a million armed (40 to 61 ms)
    start: float = 0.05
    #: messages of one shard (SHARD_SIZE), and of the largest chunk of it (campaigns.sending.sender)
    shard: int = 5_000
    chunk: int = 500
    #: SQL statements of a shard, and of each chunk of it: 8.4 for 1,000 messages with four connections (200,000
    #: messages to the sandbox, when a shard had 2,500 and a chunk 200)
    per_shard: int = 8
    per_chunk: int = 1
    #: commands that one doorbell costs the broker: publish, take, acknowledge, and its part of the chord
    broker_commands: int = 14
    #: bytes of WAL a message while the blast runs: each chunk writes the shard's outcomes anew. 2 to 3 where answers
    #: take alike (PostgreSQL compresses them), more where none is alike
    wal: float = 13.0
    #: and while the ledger's rows follow: 690 for the whole campaign of 200,000, less the above
    wal_after: float = 680.0
    #: recipients a second that are armed on two cores: 27,000 to 46,000, 300,000 and a million of them
    armed: float = 33_000.0


MEASURED = Figures()


@dataclass(frozen=True)
class Wanted:
    """What somebody wants: so many messages out in so many seconds."""

    messages: int
    seconds: float
    #: milliseconds from a request to the provider's answer
    round_trip_ms: float = ROUND_TRIP_MS


@dataclass(frozen=True)
class Plan:
    """What it takes."""

    wanted: Wanted
    rate_per_s: float
    workers: int
    connections_per_worker: int
    in_flight: int
    shards: int
    dispatchers: int
    database_cores: int
    broker_commands_per_s: float
    statements_per_s: float
    wal_mb_per_s: float
    wal_after_mb: float
    arm_seconds: float

    @property
    def connections(self) -> int:
        return self.workers * self.connections_per_worker

    @property
    def cores(self) -> int:
        """One for each sender, each dispatcher, what PostgreSQL needs, and one for the broker."""
        return self.workers + self.dispatchers + self.database_cores + 1

    @property
    def per_minute(self) -> int:
        """Messages in the fullest minute: what a quota by the minute must allow."""
        return math.ceil(self.wanted.messages * 60 / max(60.0, self.wanted.seconds))


def plan(wanted: Wanted, figures: Figures = MEASURED) -> Plan:
    """What it takes to have it out, and answered, in time. Raises InvalidInput naming what is out of reason."""
    check(wanted)
    round_trip = wanted.round_trip_ms / 1000
    usable = wanted.seconds - figures.start - round_trip
    if usable <= 0:
        raise InvalidInput(
            f"{wanted.seconds:g} s are not enough for one message: GO to the first request takes {figures.start:g} s "
            f"and its answer {round_trip:g} s more.",
            field="seconds",
        )
    rate = wanted.messages / usable
    workers = max(1, math.ceil(rate / figures.per_worker))
    in_flight = math.ceil(rate * round_trip)
    shards = math.ceil(wanted.messages / figures.shard)
    connections = max(1, math.ceil(in_flight / workers / figures.streams))
    # half of what may be on the wire: one chunk is sent while the other is written down
    chunk = min(figures.chunk, connections * figures.streams // 2)
    chunks = shards * math.ceil(figures.shard / chunk)
    return Plan(
        wanted=wanted,
        rate_per_s=rate,
        workers=workers,
        connections_per_worker=connections,
        in_flight=in_flight,
        shards=shards,
        dispatchers=max(1, math.ceil(shards / (figures.published * DISPATCH_SHARE * wanted.seconds))),
        database_cores=max(1, math.ceil(rate * figures.database_us / 1_000_000)),
        broker_commands_per_s=shards * figures.broker_commands / usable,
        statements_per_s=(shards * figures.per_shard + chunks * figures.per_chunk) / usable,
        wal_mb_per_s=rate * figures.wal / 1_000_000,
        wal_after_mb=wanted.messages * figures.wal_after / 1_000_000,
        arm_seconds=wanted.messages / figures.armed,
    )


def of_one(in_flight: int, round_trip_ms: float = ROUND_TRIP_MS, figures: Figures = MEASURED) -> float:
    """Messages a second of one worker that may have so many in flight: a worker far from the provider needs more of
    them to be as fast."""
    return min(figures.per_worker, in_flight * 1000 / round_trip_ms) if round_trip_ms else figures.per_worker


def check(wanted: Wanted) -> None:
    """Raise InvalidInput unless the wish makes sense."""
    if not 0 < wanted.messages <= MOST:
        raise InvalidInput(f"Must be a number from 1 to {MOST:,}.", field="recipients")
    if not (math.isfinite(wanted.seconds) and wanted.seconds > 0):
        raise InvalidInput("Must be more than 0 seconds.", field="seconds")
    if not 0 <= wanted.round_trip_ms <= 60_000:
        raise InvalidInput("Must be from 0 to 60,000 milliseconds.", field="round_trip_ms")


@dataclass(frozen=True)
class Quota:
    """What a provider allows by default, and how to be allowed what the plan needs."""

    of: str
    per_s: float | None
    ask: str = ""


@dataclass(frozen=True)
class Pace:
    """One thing that takes `seconds`, whatever else goes on; `why` is a sentence."""

    seconds: float
    why: str


def slowest(paces: Sequence[Pace]) -> Pace | None:
    """They work side by side, so the slowest decides."""
    return max(paces, key=lambda pace: pace.seconds, default=None)


# ---- words -------------------------------------------------------------------------------------------------------


def rate(per_s: float) -> str:
    """As providers say it: 10000 -> 600 k/min, 800000 -> 48 M/min, 5 -> 300/min."""
    a_minute = per_s * 60
    for size, sign in ((1_000_000, " M"), (1_000, " k")):
        if a_minute >= size:
            return f"{a_minute / size:,.4g}{sign}/min"
    return f"{a_minute:,.4g}/min"


def counted(count: int, one: str, many: str = "") -> str:
    """1 worker, 26 workers."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def told(plan: Plan) -> list[str]:
    """The plan for somebody who orders machines, a line for each thing."""
    wanted = plan.wanted
    return [
        f"{counted(wanted.messages, 'message')} in {wanted.seconds:,g} s, answers after {wanted.round_trip_ms:g} ms: "
        f"{plan.rate_per_s:,.0f} a second while they leave.",
        f"Senders: {counted(plan.workers, 'bulk worker process', 'bulk worker processes')}, one core each.",
        f"Connections: {plan.connections_per_worker:,} a worker (PROVIDER_CONNECTIONS), {plan.connections:,} in all; "
        f"{plan.in_flight:,} messages are on the wire at any time.",
        f"Fan-out: {counted(plan.shards, 'shard')}, published by "
        f"{counted(plan.dispatchers, 'control worker process', 'control worker processes')}.",
        f"Broker: {plan.shards / wanted.seconds:,.0f} doorbells and about {plan.broker_commands_per_s:,.0f} commands "
        f"a second.",
        f"Database: about {plan.statements_per_s:,.0f} statements and {plan.wal_mb_per_s:,.0f} MB of WAL a second; "
        f"{counted(plan.database_cores, 'core')}.",
        f"Cores: {plan.cores:,} in all.",
        f"Before: arming takes about {duration(plan.arm_seconds)} on two cores.",
        f"After: the ledger's rows follow, with about {plan.wal_after_mb:,.0f} MB of WAL.",
    ]


def quota_told(plan: Plan, quota: Quota) -> str:
    """What the provider must allow, which is asked for long before the day."""
    needs = f"{plan.per_minute:,} within a minute, {rate(plan.rate_per_s)} while they leave"
    if quota.per_s is None:
        return f"Quota: {needs}; no limit of {quota.of} is known."
    if plan.wanted.messages / plan.wanted.seconds <= quota.per_s:
        return f"Quota: {needs}; {quota.of} has {rate(quota.per_s)} by default, which is enough."
    said = f"Quota: {needs}; {quota.of} has {rate(quota.per_s)} by default, which takes "
    said += f"{duration(plan.wanted.messages / quota.per_s)}"
    return f"{said}; {quota.ask}." if quota.ask else f"{said}."
