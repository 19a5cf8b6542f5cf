"""Accounting: copy the outcomes of a shard into the ledger's rows, and delete its payload. When the last shard is
copied, the campaign is closed with one entry in the audit log: counts, and a hash of its rows in the ledger.

Accounting has low priority. It copies after the campaign, or shards that ended a while ago; and while any campaign
leaves as fast as it can (campaigns.shard.full_speed), only shards that are small or have waited long.
Copying takes more of PostgreSQL than sending: a campaign of 4 M fell from 58 to 27 k/s. A payload that waits costs what
arming wrote, and 5 bytes a message more.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from django.db import connection, transaction

from campaigns.arming import delivery_id_range
from campaigns.audit import OPERATOR, Act, record
from campaigns.lifecycle.launching import quotas
from campaigns.models import Campaign
from campaigns.report import left_out
from campaigns.report.stored import request_count
from campaigns.shard import full_speed
from campaigns.shard import payload as payloads
from campaigns.shard.outcomes import REQUEUED, UNANSWERED, OutcomeNote, ShardOutcomes
from campaigns.shard.payload import Payload
from notifier import failpoints
from notifier.delivery.accounts import registry
from notifier.delivery.caps import places
from notifier.delivery.infra import bulk
from notifier.delivery.ledger.campaigns import campaign_counts, campaign_rows
from notifier.delivery.ledger.people.dead_addresses import DeadAddress, mark_addresses_dead
from notifier.delivery.ledger.reports import awaited_receipts
from notifier.delivery.ledger.reports.awaited_receipts import AwaitedMessage
from notifier.delivery.ledger.settle import store_dead_letters
from notifier.delivery.webhooks import deliveries as webhooks
from notifier.vocabulary.load import Work
from notifier.vocabulary.status import Reason, Status
from tenants.batch_slots import batch_slot
from tenants.load_shedding import may_run

log = structlog.get_logger("campaigns")

#: seconds from the end of a shard until it may be copied while its campaign runs, so that a fast campaign has the
#: database alone
REST = 30
#: copied beside a campaign that leaves as fast as it can: shards of so few messages (25 ms), and shards that ended so
#: many seconds ago
SMALL, LONGEST_REST = 500, 600

_MAY_BE_COPIED = f"""
(c.state <> 'running' OR s.ended_at < now() - interval '{REST} s')
AND (NOT %(full_speed)s OR s.size <= %(small)s OR s.ended_at < now() - interval '{LONGEST_REST} s')
"""

# A shard whose outcomes do not change any more. The row's lock keeps two processes from copying the same shard.
_NEXT = f"""
SELECT s.id, s.tenant_id, s.account_id, s.channel, s.size, s.begun, s.began_at, s.ended_at,
       p.rows, p.outcomes, p.delays, p.notes
FROM campaigns_shard s JOIN campaigns_shardpayload p ON p.shard_id = s.id
JOIN campaigns_campaign c ON c.id = s.campaign_id
WHERE s.campaign_id = %(campaign)s AND NOT s.accounted AND s.state IN ('done', 'cancelled') AND {_MAY_BE_COPIED}
ORDER BY s.number LIMIT 1 FOR UPDATE OF s SKIP LOCKED
"""

_MARK_ACCOUNTED = "UPDATE campaigns_shard SET accounted = true WHERE id = %s"
_DELETE_PAYLOAD = "DELETE FROM campaigns_shardpayload WHERE shard_id = %s"


def _priority(small: int) -> dict[str, Any]:
    return {"full_speed": full_speed.is_active(), "small": small}


def account_in_turn(campaign_id: uuid.UUID) -> None:
    """Account for a campaign if its tenant has a free slot, and load is not shed; else the sweep posts the task
    again."""
    if not may_run(Work.EXPANSIONS):
        return
    with batch_slot(Campaign.objects.values_list("tenant_id", flat=True).get(pk=campaign_id)) as has_slot:
        if has_slot:
            account(campaign_id)


def account(campaign_id: uuid.UUID, small: int = SMALL) -> int:
    """Copy every shard that may be copied; returns the number of rows. Several processes may run this at once, on
    different shards. `small`: the most messages of a shard that is copied beside a campaign at full speed."""
    rows = 0
    while copied := account_one(campaign_id, small):
        rows += copied
    failpoints.reach("account.before-close")
    close(campaign_id)
    return rows


def account_one(campaign_id: uuid.UUID, small: int = SMALL) -> int:
    """Copy one shard, in one transaction; returns the number of rows, 0 when no shard may be copied."""
    with transaction.atomic():
        with bulk.cursor() as cursor:
            cursor.execute(_NEXT, {"campaign": campaign_id, **_priority(small)}, binary=True)
            row = cursor.fetchone()
        if row is None:
            return 0
        shard = _read(row)
        _copy(shard)
        mark_addresses_dead(shard.dead)
        _store_dead_letters(shard)
        awaited_receipts.store(shard.awaited)
        webhooks.ended(shard.tenant_id, shard.ended_ids)
        with connection.cursor() as cursor:
            cursor.execute(_MARK_ACCOUNTED, [shard.id])
            cursor.execute(_DELETE_PAYLOAD, [shard.id])
        failpoints.reach("account.before-commit")
        return shard.outcomes.size


@dataclass(frozen=True)
class EndedShard:
    """A shard that sends no more, with its payload and outcomes."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    account_id: uuid.UUID
    channel: str
    began_at: datetime | None
    ended_at: datetime
    payload: Payload
    outcomes: ShardOutcomes

    @property
    def dead(self) -> Iterator[DeadAddress]:
        """Addresses that the provider called dead."""
        for i, note in self.outcomes.notes.items():
            if self.began_at is not None and note.dead_as_of is not None:
                as_of = self.began_at + timedelta(milliseconds=note.dead_as_of)
                yield DeadAddress(self.tenant_id, self.channel, self.payload.address(i), as_of, detail=note.detail)

    @property
    def awaited(self) -> Iterator[AwaitedMessage]:
        """Messages about which the provider's server must be asked, sent or in doubt. A requeued message has no note:
        the ledger asks about it."""
        for i, note in self.outcomes.notes.items():
            ref = awaited_receipts.IN_DOUBT if self.outcomes.codes[i] == Status.UNKNOWN else note.provider_ref
            if note.receipt_after and ref:
                yield self._awaited(i, ref, note.receipt_after)
        if (unanswered := self.outcomes.unanswered()) and (
            after := registry.ask_after(registry.load_account(self.account_id))
        ):
            for i in unanswered:
                yield self._awaited(i, awaited_receipts.IN_DOUBT, after)

    def _awaited(self, i: int, ref: str, after: float) -> AwaitedMessage:
        due_at = self.ended_at + timedelta(seconds=after)
        return AwaitedMessage(self.tenant_id, self.account_id, self.payload.id(i), ref, self.ended_at, due_at)

    @property
    def ended_ids(self) -> Iterator[uuid.UUID]:
        """The messages of which no other attempt will be made."""
        codes = self.outcomes.codes
        return (self.payload.id(i) for i in range(self.outcomes.size) if codes[i] != REQUEUED)

    def dead_letter(self, i: int) -> tuple[uuid.UUID, uuid.UUID, str, int, str]:
        """Message i as a dead letter."""
        note = self.outcomes.notes[i]
        return (self.tenant_id, self.payload.id(i), self.channel, 1, (note.detail or note.reason)[:300])

    def final_status(self, i: int) -> tuple[int, OutcomeNote]:
        """The final status of message i, and its note. A message that never began was stopped; a message without an
        answer is in doubt."""
        outcome = self.outcomes.codes[i]
        if outcome != UNANSWERED:
            return outcome, self.outcomes.notes.get(i, _NO_NOTE)
        if i >= self.outcomes.begun:
            return int(Status.CANCELLED), _STOPPED
        return int(Status.UNKNOWN), _IN_DOUBT

    def ledger_row(self, i: int) -> campaign_rows.Ended:
        """Message i for the ledger."""
        status, note = self.final_status(i)
        attempt = int(i < self.outcomes.begun)
        return (self.payload.id(i), status, note.reason, note.detail, note.provider_ref, self.answered_at(i), attempt)

    def answered_at(self, i: int) -> datetime:
        """When the answer to message i came; without an answer, when the shard ended."""
        if self.began_at is None or self.outcomes.codes[i] == UNANSWERED:
            return self.ended_at
        return self.began_at + timedelta(milliseconds=self.outcomes.delays[i])


_NO_NOTE = OutcomeNote()
_STOPPED = OutcomeNote(str(Reason.STOPPED))
_IN_DOUBT = OutcomeNote(str(Reason.IN_DOUBT))


def _read(row: Sequence[Any]) -> EndedShard:
    shard_id, tenant_id, account_id, channel, size, begun, began_at, ended_at, rows, codes, delays, notes = row
    late = int((ended_at - began_at).total_seconds() * 1000) if began_at is not None else None
    shard_outcomes = ShardOutcomes.unpack(size, begun, codes, delays, notes, unknown_delay=late)
    payload = payloads.unpack(rows)
    return EndedShard(shard_id, tenant_id, account_id, channel, began_at, ended_at, payload, shard_outcomes)


def _copy(shard: EndedShard) -> None:
    """Copy the outcomes in the order of ids, as arming wrote the rows."""
    outcomes, copied = shard.outcomes, set()
    for status in (Status.SENT, Status.DELIVERED):
        sent = [i for i, outcome in enumerate(outcomes.codes) if outcome == status and i not in outcomes.notes]
        copied.update(sent)
        _copy_sent(shard, status, sent)
    rows = [shard.ledger_row(i) for i in range(outcomes.size) if i not in copied and outcomes.codes[i] != REQUEUED]
    campaign_rows.copy_outcomes(rows)


def _copy_sent(shard: EndedShard, status: Status, sent: Sequence[int]) -> None:
    if sent:
        ids, delays = map(shard.payload.key, sent), (shard.outcomes.delays[i] for i in sent)
        campaign_rows.copy_taken(status, shard.began_at, ids, delays)


def _store_dead_letters(shard: EndedShard) -> None:
    if dead_letters := [i for i, note in shard.outcomes.notes.items() if note.dead_letter]:
        store_dead_letters([shard.dead_letter(i) for i in dead_letters])
        contents = [orjson.dumps(shard.payload.content(i)).decode() for i in dead_letters]
        campaign_rows.keep_content([shard.payload.id(i) for i in dead_letters], contents)


_DUE = f"""
SELECT c.id FROM campaigns_campaign c WHERE c.accounted_at IS NULL
AND c.state IN ('running', 'paused', 'finished', 'cancelled') AND (
  EXISTS (
    SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id AND NOT s.accounted
      AND s.state IN ('done', 'cancelled') AND {_MAY_BE_COPIED})
  OR c.state IN ('finished', 'cancelled')
    AND NOT EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id AND NOT s.accounted))
"""


def due(small: int = SMALL) -> list[uuid.UUID]:
    """Campaigns with a shard to copy, or to close."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, _priority(small))
        return [row[0] for row in cursor.fetchall()]


# one caller gets the row, when nothing of the campaign is left to copy or to send
_CLOSE = f"""
UPDATE campaigns_campaign c SET accounted_at = now()
WHERE c.id = %s AND c.accounted_at IS NULL AND c.state IN ('finished', 'cancelled')
  AND NOT EXISTS (SELECT 1 FROM campaigns_shard s WHERE s.campaign_id = c.id AND NOT s.accounted)
  AND NOT {campaign_rows.unfinished("c.id")}
RETURNING c.state
"""


def close(campaign_id: uuid.UUID) -> bool:
    """Close a campaign that is accounted for. True for the one caller that closed it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLOSE, [campaign_id])
        row = cursor.fetchone()
        if row is None:
            return False
        campaign = Campaign.objects.get(pk=campaign_id)
        places.give_back_campaign(campaign.tenant_id, campaign.pk, delivery_id_range(campaign))
        counts, ledger_hash = campaign_counts.count_and_hash(campaign_id)
        left_out.tell(campaign)
        record(campaign, Act(row[0]), OPERATOR, counts=counts, ledger=ledger_hash)
        request_count(campaign)
        # last: other acceptances of the tenant wait for the row that this locks, and the ledger's hash takes long
        quotas.give_back_unsent(campaign)
    log.info("campaign accounted for", action="account", campaign=str(campaign_id))
    return True
