"""What a campaign of a given size and time needs: workers, connections, cores, statements. Arithmetic over measured
figures.

The figures are here and nowhere else. Preflight and `manage.py plan_capacity` show what follows from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from campaigns.templatetags.figures import duration
from notifier.errors import InvalidInput

#: more messages than people exist: a larger number is a typing error
MAX_MESSAGES = 10_000_000_000
#: the wakeup task of the last shard is published within this share of the time: workers that wait send nothing
DISPATCH_SHARE = 0.2
#: from a machine on the same continent to FCM and back, until a silent run has shown it
ROUND_TRIP_MS = 75.0


@dataclass(frozen=True)
class Figures:
    """What one part of the platform does. Measured on two shared cores; each figure names its source."""

    #: messages a second of one bulk worker process: two of them did 54 to 96 k/s from GO to durable outcomes (a
    #: million, slow and good hours), PostgreSQL, Valkey and nghttpd as the provider on the same two cores
    per_worker: float = 32_500.0
    #: µs of PostgreSQL's CPU a message, for outcomes that are durable with the shard: 1.9 to 3.7 at a million
    database_us: float = 3.5
    #: streams that Google allows on one connection (GOAWAY above; firebase-admin-node#2943, fcm-v1-http2#8)
    streams: int = 100
    #: wakeup tasks a second that one control process publishes: 30 ms for the first 100 of a chord, 1,750/s after that
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
    #: commands that one wakeup task costs the broker: publish, take, acknowledge, and its part of the chord
    broker_commands: int = 14
    #: bytes of WAL a message while the campaign runs: each chunk writes the shard's outcomes anew. 2 to 3 where the
    #: delays of answers are alike (PostgreSQL compresses them), more where they differ
    wal: float = 13.0
    #: bytes of WAL a message while the ledger's rows follow: 690 for a whole campaign of 200,000, less the above
    wal_after: float = 680.0
    #: µs of one core to encrypt a Web Push message (notifier.providers.webpush.encryption), which arming does
    encryption_us: float = 125.0
    #: recipients a second that two cores arm: 27,000 to 46,000, 300,000 and a million of them
    armed: float = 33_000.0


MEASURED = Figures()


@dataclass(frozen=True)
class Goal:
    """So many messages answered in so many seconds."""

    messages: int
    seconds: float
    #: milliseconds from a request to the provider's answer
    round_trip_ms: float = ROUND_TRIP_MS


@dataclass(frozen=True)
class Plan:
    """What a goal needs."""

    goal: Goal
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
        """One for each sender and each dispatcher, those of PostgreSQL, and one for the broker."""
        return self.workers + self.dispatchers + self.database_cores + 1

    @property
    def per_minute(self) -> int:
        """Messages in the fullest minute, which a quota by the minute must allow."""
        return math.ceil(self.goal.messages * 60 / max(60.0, self.goal.seconds))


def plan(goal: Goal, figures: Figures = MEASURED) -> Plan:
    """What it takes to reach the goal. Raises InvalidInput naming the field that is out of range."""
    check(goal)
    round_trip = goal.round_trip_ms / 1000
    usable = goal.seconds - figures.start - round_trip
    if usable <= 0:
        raise InvalidInput(
            f"{goal.seconds:g} s are not enough for one message: GO to the first request takes {figures.start:g} s, "
            f"and the answer {round_trip:g} s more.",
            field="seconds",
        )
    rate = goal.messages / usable
    workers = max(1, math.ceil(rate / figures.per_worker))
    in_flight = math.ceil(rate * round_trip)
    shards = math.ceil(goal.messages / figures.shard)
    connections = max(1, math.ceil(in_flight / workers / figures.streams))
    # half of what may be in flight: one chunk is sent while the outcomes of the other are written
    chunk = min(figures.chunk, connections * figures.streams // 2)
    chunks = shards * math.ceil(figures.shard / chunk)
    return Plan(
        goal=goal,
        rate_per_s=rate,
        workers=workers,
        connections_per_worker=connections,
        in_flight=in_flight,
        shards=shards,
        dispatchers=max(1, math.ceil(shards / (figures.published * DISPATCH_SHARE * goal.seconds))),
        database_cores=max(1, math.ceil(rate * figures.database_us / 1_000_000)),
        broker_commands_per_s=shards * figures.broker_commands / usable,
        statements_per_s=(shards * figures.per_shard + chunks * figures.per_chunk) / usable,
        wal_mb_per_s=rate * figures.wal / 1_000_000,
        wal_after_mb=goal.messages * figures.wal_after / 1_000_000,
        arm_seconds=goal.messages / figures.armed,
    )


def rate_of_worker(in_flight: int, round_trip_ms: float = ROUND_TRIP_MS, figures: Figures = MEASURED) -> float:
    """Messages a second of one worker that may have so many in flight: a worker far from the provider needs more of
    them to be as fast."""
    return min(figures.per_worker, in_flight * 1000 / round_trip_ms) if round_trip_ms else figures.per_worker


def check(goal: Goal) -> None:
    """Raise InvalidInput for a goal that is out of range."""
    if not 0 < goal.messages <= MAX_MESSAGES:
        raise InvalidInput(f"Must be a number from 1 to {MAX_MESSAGES:,}.", field="recipients")
    if not (math.isfinite(goal.seconds) and goal.seconds > 0):
        raise InvalidInput("Must be more than 0 seconds.", field="seconds")
    if not 0 <= goal.round_trip_ms <= 60_000:
        raise InvalidInput("Must be from 0 to 60,000 milliseconds.", field="round_trip_ms")


@dataclass(frozen=True)
class Quota:
    """What a provider allows by default (`of`: what the limit belongs to), and how to ask for more."""

    of: str
    per_s: float | None
    ask: str = ""


@dataclass(frozen=True)
class Pace:
    """One thing that takes `seconds`, whatever else goes on; `why` is a part of a sentence."""

    seconds: float
    why: str


def slowest(paces: Sequence[Pace]) -> Pace | None:
    """The slowest one decides, because all go on at the same time."""
    return max(paces, key=lambda pace: pace.seconds, default=None)


# ---- words -------------------------------------------------------------------------------------------------------


def rate(per_s: float) -> str:
    """In the unit of the providers' documentation: 10000 -> 600 k/min, 800000 -> 48 M/min, 5 -> 300/min."""
    per_minute = per_s * 60
    for size, sign in ((1_000_000, " M"), (1_000, " k")):
        if per_minute >= size:
            return f"{per_minute / size:,.4g}{sign}/min"
    return f"{per_minute:,.4g}/min"


def counted(count: int, one: str, many: str = "") -> str:
    """1 worker, 26 workers."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def describe(plan: Plan) -> list[str]:
    """The plan for a person who orders machines, a line for each resource."""
    goal = plan.goal
    return [
        f"{counted(goal.messages, 'message')} in {goal.seconds:,g} s, answers after {goal.round_trip_ms:g} ms: "
        f"{plan.rate_per_s:,.0f} a second while they leave.",
        f"Senders: {counted(plan.workers, 'bulk worker process', 'bulk worker processes')}, one core each.",
        f"Connections: {plan.connections_per_worker:,} a worker (PROVIDER_CONNECTIONS), {plan.connections:,} in all; "
        f"{plan.in_flight:,} messages are in flight at any time.",
        f"Fan-out: {counted(plan.shards, 'shard')}, published by "
        f"{counted(plan.dispatchers, 'control worker process', 'control worker processes')}.",
        f"Broker: {plan.shards / goal.seconds:,.0f} wakeup tasks and about {plan.broker_commands_per_s:,.0f} commands "
        f"a second.",
        f"Database: about {plan.statements_per_s:,.0f} statements and {plan.wal_mb_per_s:,.0f} MB of WAL a second; "
        f"{counted(plan.database_cores, 'core')}.",
        f"Cores: {plan.cores:,} in all.",
        f"Before: arming takes about {duration(plan.arm_seconds)} on two cores.",
        f"After: the ledger's rows follow, with about {plan.wal_after_mb:,.0f} MB of WAL.",
    ]


def describe_quota(plan: Plan, quota: Quota) -> str:
    """What the provider must allow. A larger quota must be asked for weeks before."""
    needs = f"{plan.per_minute:,} within a minute, {rate(plan.rate_per_s)} while they leave"
    if quota.per_s is None:
        return f"Quota: {needs}; no limit of {quota.of} is known."
    if plan.goal.messages / plan.goal.seconds <= quota.per_s:
        return f"Quota: {needs}; {quota.of} has {rate(quota.per_s)} by default, which is enough."
    takes = duration(plan.goal.messages / quota.per_s)
    text = f"Quota: {needs}; {quota.of} has {rate(quota.per_s)} by default, which takes {takes}"
    return f"{text}; {quota.ask}." if quota.ask else f"{text}."
