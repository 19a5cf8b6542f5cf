"""What has become of a shard's messages: kept beside its payload, one byte a message, and written with one statement a
chunk. A row per message costs PostgreSQL 120 µs in two updates; this costs 5 µs, and the ledger's rows follow later
(campaigns.report.accounting).
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

# Delays, four bytes a message, are not written with each chunk: they would be written anew, and out of line, each time.

#: begun, and no answer is known
UNANSWERED = 0
#: the ledger's row says what became of it
REQUEUED = int(Status.QUEUED)
#: what a delay can say: 49 days. A shard may be paused for longer
MAX_DELAY_MS = 2**32 - 1
_TAKEN = frozenset({int(Status.SENT), int(Status.DELIVERED)})


@dataclass(frozen=True, slots=True)
class OutcomeNote:
    """What the byte of a message cannot say."""

    reason: str = ""
    detail: str = ""
    provider_ref: str = ""
    #: the address is dead, as of so many milliseconds after the shard began
    dead_as_of: int | None = None
    dead_letter: bool = False

    @property
    def address_is_dead(self) -> bool:
        return self.dead_as_of is not None


@dataclass
class ShardOutcomes:
    """`outcomes[i]` is a Status or OPEN; `delays[i]` the milliseconds from the shard's beginning to its answer. Rows
    from `begun` on have not begun. What is neither sent nor failed nor requeued of those begun is in doubt."""

    size: int
    begun: int = 0
    outcomes: bytearray = field(default_factory=bytearray)
    delays: array[int] = field(default_factory=lambda: array("I"))
    notes: dict[int, OutcomeNote] = field(default_factory=dict)
    sent: int = 0
    failed: int = 0
    dead: int = 0
    requeued: int = 0
    #: of the failed and the requeued: no provider has said anything against it. Refused here, by consent, quiet hours
    #: or time; or its connection was cut, and it will be tried again
    skipped: int = 0
    #: the connection ended under the message and others, and no answer came
    disconnected: int = 0

    def __post_init__(self) -> None:
        self.outcomes.extend(bytes(self.size - len(self.outcomes)))
        self.delays.extend([0] * (self.size - len(self.delays)))

    @classmethod
    def of(
        cls, size: int, begun: int, outcomes: bytes, delays: bytes, notes: bytes, *, late: int | None = None
    ) -> ShardOutcomes:
        """As it was written."""
        said = {int(i): OutcomeNote(*note) for i, note in orjson.loads(notes).items()} if notes else {}
        record = cls(size, begun, bytearray(outcomes), _delays(delays, begun, late), said)
        record._count()
        return record

    def _count(self) -> None:
        self.sent = sum(map(self.outcomes.count, _TAKEN))
        self.requeued = self.outcomes.count(REQUEUED)
        doubt = self.outcomes.count(UNANSWERED) + self.outcomes.count(int(Status.UNKNOWN))
        self.failed = self.size - doubt - self.sent - self.requeued
        self.dead = sum(note.address_is_dead for note in self.notes.values())

    def packed_outcomes(self) -> bytes:
        return bytes(self.outcomes[: self.begun])

    def packed_delays(self) -> bytes:
        return self.delays[: self.begun].tobytes()

    def packed_notes(self) -> bytes:
        notes = {i: [n.reason, n.detail, n.provider_ref, n.dead_as_of, n.dead_letter] for i, n in self.notes.items()}
        return orjson.dumps(notes, option=orjson.OPT_NON_STR_KEYS) if notes else b""

    def counts(self) -> list[int]:
        """As the shard's columns have them: sent, failed, dead, requeued, skipped, disconnected."""
        return [self.sent, self.failed, self.dead, self.requeued, self.skipped, self.disconnected]

    def open(self) -> list[int]:
        """Begun and not answered."""
        return [i for i, outcome in enumerate(self.outcomes[: self.begun]) if outcome == UNANSWERED]

    def tally(self, *, ended: bool, stopped: bool) -> Counter[tuple[int, str]]:
        """(status, reason) -> messages, but for those that the ledger counts. `ended`: nobody holds the shard any more;
        `stopped`: what has not begun never will."""
        counts: Counter[tuple[int, str]] = Counter()
        for outcome, count in Counter(self.outcomes[: self.begun]).items():
            if outcome == UNANSWERED:
                counts[(int(Status.UNKNOWN), str(Reason.IN_DOUBT)) if ended else (int(Status.SENDING), "")] += count
            elif outcome != REQUEUED:
                counts[outcome, ""] += count
        for i, note in self.notes.items():
            counts[self.outcomes[i], ""] -= 1
            counts[self.outcomes[i], note.reason] += 1
        rest = (int(Status.CANCELLED), str(Reason.STOPPED)) if ended or stopped else (int(Status.ARMED), "")
        counts[rest] += self.size - self.begun
        return +counts

    def took(self, rows: Iterable[int], delay: int) -> None:
        """The provider took these."""
        outcomes, delays, code, count = self.outcomes, self.delays, int(Status.SENT), 0
        for i in rows:
            outcomes[i] = code
            delays[i] = delay
            count += 1
        self.sent += count

    def ended(self, i: int, status: Status, delay: int, note: OutcomeNote, *, skipped: bool = False) -> None:
        """One ended in any way."""
        self.skipped += skipped
        self.outcomes[i], self.delays[i] = int(status), delay
        if note != OutcomeNote():
            self.notes[i] = note
        self.dead += note.address_is_dead
        if status in _TAKEN:
            self.sent += 1
        elif status == Status.QUEUED:
            self.requeued += 1
        elif status != Status.UNKNOWN:
            self.failed += 1


def sent_delays(outcomes: bytes, delays: bytes, late: int | None) -> Iterator[int]:
    """The delays of what providers took, from a stored record."""
    known = _delays(delays, len(outcomes), late)
    return (delay for outcome, delay in zip(outcomes, known, strict=False) if outcome in _TAKEN)


def _delays(written: bytes, count: int, late: int | None) -> array[int]:
    """The delays of `count` messages. They are written when a shard is let go: of one whose holder was lost, none is
    known but that it is `late` at most, the milliseconds since the shard began, or until it ended."""
    found = array("I")
    found.frombytes(written)
    if late is not None:
        found.extend([min(MAX_DELAY_MS, max(0, late))] * (count - len(found)))
    return found


@dataclass(frozen=True)
class WriteResult:
    """What the statement found: the shard is still this holder's, and the campaign still runs on its channel."""

    held: bool
    running: bool


# `begun` rises only while the campaign runs and its channel is not halted: the look at the stop and the commit of what
# may begin are one statement.
_WRITE = """
WITH mine AS (
  UPDATE campaigns_shard s SET
    begun = CASE WHEN c.state = 'running' AND NOT c.halted_channels ? s.channel THEN %s ELSE s.begun END,
    sent = %s, failed = %s, dead = %s, requeued = %s, skipped = %s, disconnected = %s,
    lease_until = now() + make_interval(secs => %s)
  FROM campaigns_campaign c
  WHERE s.id = %s AND s.fence = %s AND s.state = 'running' AND c.id = s.campaign_id
  RETURNING s.id, c.state = 'running' AND NOT c.halted_channels ? s.channel AS running
)
UPDATE campaigns_shardpayload p SET outcomes = %b, notes = %b
FROM mine WHERE p.shard_id = mine.id RETURNING mine.running
"""

_LEAVE = """
WITH mine AS (
  UPDATE campaigns_shard s SET begun = %s, sent = %s, failed = %s, dead = %s, requeued = %s, skipped = %s,
    disconnected = %s, lease_until = NULL, state = %s, ended_at = CASE WHEN %s THEN clock_timestamp() END
  WHERE s.id = %s AND s.fence = %s AND s.state = 'running' RETURNING s.id
)
UPDATE campaigns_shardpayload p SET outcomes = %b, delays = %b, notes = %b
FROM mine WHERE p.shard_id = mine.id RETURNING p.shard_id
"""


def write_outcomes(record: ShardOutcomes, shard_id: uuid.UUID, fence: int, begin: int) -> WriteResult:
    """Write the outcomes so far; let rows up to `begin` begin, if the campaign runs; renew the lease."""
    counts = [begin, *record.counts(), float(settings.LEASE_SECONDS)]
    with bulk.cursor() as cursor:
        cursor.execute(
            _WRITE, [*counts, shard_id, fence, record.packed_outcomes(), record.packed_notes()], prepare=True
        )
        row: Sequence[Any] | None = cursor.fetchone()
    if row is None:
        return WriteResult(held=False, running=False)
    if row[0]:
        record.begun = begin
    return WriteResult(held=True, running=bool(row[0]))


def release_shard(record: ShardOutcomes, shard_id: uuid.UUID, fence: int, state: str, *, ended: bool) -> bool:
    """Write the last outcomes and let the shard go; False when it was not this holder's any more."""
    counts = [record.begun, *record.counts(), state, ended]
    packed = [record.packed_outcomes(), record.packed_delays(), record.packed_notes()]
    with bulk.cursor() as cursor:
        cursor.execute(_LEAVE, [*counts, shard_id, fence, *packed], prepare=True)
        return cursor.fetchone() is not None
