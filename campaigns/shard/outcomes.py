"""The outcomes of a shard's messages: beside the payload, one byte a message, written with one statement a chunk.

A row per message costs PostgreSQL 120 µs in two updates; this costs 5 µs, and the ledger's rows follow later
(campaigns.report.accounting). Delays, four bytes a message, are not written with each chunk: each time PostgreSQL would
write all of them anew, and out of line.
"""

from __future__ import annotations

import uuid
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings

from notifier.delivery.infra import bulk
from notifier.vocabulary.status import Reason, Status

#: the message has begun, and no answer is known
UNANSWERED = 0
#: the ledger's row has the outcome
REQUEUED = int(Status.QUEUED)
#: the longest delay that can be stored: 49 days. A shard may be paused for longer
MAX_DELAY_MS = 2**32 - 1
_FAILURES = frozenset({str(Reason.REJECTED), str(Reason.EXHAUSTED), str(Reason.MISCONFIGURED)})
_SENT = frozenset({int(Status.SENT), int(Status.DELIVERED)})


@dataclass(frozen=True, slots=True)
class OutcomeNote:
    """Details of an outcome that its one byte cannot hold."""

    reason: str = ""
    detail: str = ""
    provider_ref: str = ""
    #: the address is dead, as of so many milliseconds after the shard began
    dead_as_of: int | None = None
    dead_letter: bool = False
    #: seconds until the provider's server must be asked what became of the message; None: there is nothing to ask
    receipt_after: float | None = None

    @property
    def address_is_dead(self) -> bool:
        return self.dead_as_of is not None


@dataclass
class ShardOutcomes:
    """`codes[i]` is the Status of message i, or UNANSWERED; `delays[i]` the milliseconds from the shard's beginning to
    the answer. Messages from `begun` on have not begun. A message that has begun and is neither sent nor failed nor
    requeued is in doubt."""

    size: int
    begun: int = 0
    codes: bytearray = field(default_factory=bytearray)
    delays: array[int] = field(default_factory=lambda: array("I"))
    notes: dict[int, OutcomeNote] = field(default_factory=dict)
    sent: int = 0
    failed: int = 0
    dead: int = 0
    requeued: int = 0
    #: among the failed and the requeued: messages that no provider refused. The recheck refused them (consent, quiet
    #: hours, time); or their connection was lost, and another attempt follows
    skipped: int = 0
    #: the connection, which carried several messages, was lost, and no answer came
    disconnected: int = 0

    def __post_init__(self) -> None:
        self.codes.extend(bytes(self.size - len(self.codes)))
        self.delays.extend([0] * (self.size - len(self.delays)))

    @classmethod
    def unpack(
        cls, size: int, begun: int, codes: bytes, delays: bytes, notes: bytes, *, unknown_delay: int | None = None
    ) -> ShardOutcomes:
        """The outcomes as they were stored. `unknown_delay`: see _unpack_delays."""
        by_message = {int(i): OutcomeNote(*note) for i, note in orjson.loads(notes).items()} if notes else {}
        outcomes = cls(size, begun, bytearray(codes), _unpack_delays(delays, begun, unknown_delay), by_message)
        outcomes._count()
        return outcomes

    def _count(self) -> None:
        self.sent = sum(map(self.codes.count, _SENT))
        self.requeued = self.codes.count(REQUEUED)
        in_doubt = self.codes.count(UNANSWERED) + self.codes.count(int(Status.UNKNOWN))
        self.failed = self.size - in_doubt - self.sent - self.requeued
        self.dead = sum(note.address_is_dead for note in self.notes.values())

    def packed_codes(self) -> bytes:
        return bytes(self.codes[: self.begun])

    def packed_delays(self) -> bytes:
        return self.delays[: self.begun].tobytes()

    def packed_notes(self) -> bytes:
        notes = {
            i: [n.reason, n.detail, n.provider_ref, n.dead_as_of, n.dead_letter, n.receipt_after]
            for i, n in self.notes.items()
        }
        return orjson.dumps(notes, option=orjson.OPT_NON_STR_KEYS) if notes else b""

    def counts(self) -> list[int]:
        """In the order of the statements below: sent, failed, dead, requeued, skipped, disconnected."""
        return [self.sent, self.failed, self.dead, self.requeued, self.skipped, self.disconnected]

    def unanswered(self) -> list[int]:
        """Messages that have begun and have no answer."""
        return [i for i, code in enumerate(self.codes[: self.begun]) if code == UNANSWERED]

    def tally(self, *, ended: bool, stopped: bool) -> Counter[tuple[int, str]]:
        """(status, reason) -> messages, without the requeued messages, which the ledger counts. `ended`: no worker
        holds the shard any more; `stopped`: what has not begun never will."""
        counts: Counter[tuple[int, str]] = Counter()
        for code, count in Counter(self.codes[: self.begun]).items():
            if code == UNANSWERED:
                counts[(int(Status.UNKNOWN), str(Reason.IN_DOUBT)) if ended else (int(Status.SENDING), "")] += count
            elif code != REQUEUED:
                counts[code, ""] += count
        for i, note in self.notes.items():
            counts[self.codes[i], ""] -= 1
            counts[self.codes[i], note.reason] += 1
        not_begun = (int(Status.CANCELLED), str(Reason.STOPPED)) if ended or stopped else (int(Status.ARMED), "")
        counts[not_begun] += self.size - self.begun
        return +counts

    def mark_sent(self, rows: Iterable[int], delay: int, status: Status = Status.SENT) -> None:
        """The provider accepted these messages. `status`: SENT or DELIVERED."""
        codes, delays, sent, count = self.codes, self.delays, int(status), 0
        for i in rows:
            codes[i] = sent
            delays[i] = delay
            count += 1
        self.sent += count

    def mark_ended(self, i: int, status: Status, delay: int, note: OutcomeNote, *, skipped: bool = False) -> None:
        """Message i has ended with any status."""
        self.skipped += skipped
        self.codes[i], self.delays[i] = int(status), delay
        if note != OutcomeNote():
            self.notes[i] = note
        self.dead += note.address_is_dead
        if status in _SENT:
            self.sent += 1
        elif status == Status.QUEUED:
            self.requeued += 1
        elif status != Status.UNKNOWN:
            self.failed += 1


def failure_details(notes: bytes) -> Counter[str]:
    """What providers said about failed messages with a living address, from the stored notes of a shard."""
    stored = (OutcomeNote(*note) for note in (orjson.loads(notes) if notes else {}).values())
    return Counter(note.detail for note in stored if note.reason in _FAILURES)


def sent_delays(codes: bytes, delays: bytes, unknown_delay: int | None) -> Iterator[int]:
    """The delays of the sent messages, from stored outcomes. `unknown_delay`: see _unpack_delays."""
    all_delays = _unpack_delays(delays, len(codes), unknown_delay)
    return (delay for code, delay in zip(codes, all_delays, strict=False) if code in _SENT)


def _unpack_delays(packed: bytes, count: int, unknown_delay: int | None) -> array[int]:
    """The delays of `count` messages. They are stored when a worker releases the shard; when a worker was lost, its
    delays are unknown. They are then `unknown_delay`, an upper bound: the milliseconds from the shard's beginning until
    now, or until its end."""
    delays = array("I")
    delays.frombytes(packed)
    if unknown_delay is not None:
        delays.extend([min(MAX_DELAY_MS, max(0, unknown_delay))] * (count - len(delays)))
    return delays


@dataclass(frozen=True)
class WriteResult:
    """The state at the time of the write. `claimed`: the shard is still this worker's; `running`: the campaign still
    runs on the shard's channel."""

    claimed: bool
    running: bool


# `begun` rises only while the campaign runs and its channel is not halted: the check for a stop and the commit of what
# may begin are one statement.
_WRITE = """
WITH claimed AS (
  UPDATE campaigns_shard s SET
    begun = CASE WHEN c.state = 'running' AND NOT c.halted_channels ? s.channel THEN %s ELSE s.begun END,
    sent = %s, failed = %s, dead = %s, requeued = %s, skipped = %s, disconnected = %s,
    lease_until = now() + make_interval(secs => %s)
  FROM campaigns_campaign c
  WHERE s.id = %s AND s.fence = %s AND s.state = 'running' AND c.id = s.campaign_id
  RETURNING s.id, c.state = 'running' AND NOT c.halted_channels ? s.channel AS running
)
UPDATE campaigns_shardpayload p SET outcomes = %b, notes = %b
FROM claimed WHERE p.shard_id = claimed.id RETURNING claimed.running
"""

_RELEASE = """
WITH claimed AS (
  UPDATE campaigns_shard s SET begun = %s, sent = %s, failed = %s, dead = %s, requeued = %s, skipped = %s,
    disconnected = %s, lease_until = NULL, state = %s, ended_at = CASE WHEN %s THEN clock_timestamp() END
  WHERE s.id = %s AND s.fence = %s AND s.state = 'running' RETURNING s.id
)
UPDATE campaigns_shardpayload p SET outcomes = %b, delays = %b, notes = %b
FROM claimed WHERE p.shard_id = claimed.id RETURNING p.shard_id
"""


def write_outcomes(outcomes: ShardOutcomes, shard_id: uuid.UUID, fence: int, begin: int) -> WriteResult:
    """Write the outcomes so far; let messages up to `begin` begin, if the campaign runs; renew the lease."""
    counts = [begin, *outcomes.counts(), float(settings.LEASE_SECONDS)]
    packed = [outcomes.packed_codes(), outcomes.packed_notes()]
    with bulk.cursor() as cursor:
        cursor.execute(_WRITE, [*counts, shard_id, fence, *packed], prepare=True)
        row: Sequence[Any] | None = cursor.fetchone()
    if row is None:
        return WriteResult(claimed=False, running=False)
    (running,) = row
    if running:
        outcomes.begun = begin
    return WriteResult(claimed=True, running=bool(running))


def release_shard(outcomes: ShardOutcomes, shard_id: uuid.UUID, fence: int, state: str, *, ended: bool) -> bool:
    """Write the last outcomes and release the shard; False when the shard is no longer this worker's."""
    counts = [outcomes.begun, *outcomes.counts(), state, ended]
    packed = [outcomes.packed_codes(), outcomes.packed_delays(), outcomes.packed_notes()]
    with bulk.cursor() as cursor:
        cursor.execute(_RELEASE, [*counts, shard_id, fence, *packed], prepare=True)
        return cursor.fetchone() is not None
