"""Send one shard. Each chunk is one statement (what was answered, what may begin, the lease, a look at the stop), then
its bodies go to the transport; two chunks are under way at once, so that the wire is busy while the database commits.

What a crash may repeat is what began without an answer that was written down: a window at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from django.db import transaction

from campaigns.lifecycle import control, full_speed, thresholds
from campaigns.models import Campaign, Shard
from campaigns.sending.claim import ClaimedShard
from campaigns.sending.in_flight import InFlight
from campaigns.sending.recheck import Recheck
from campaigns.shard.outcomes import OutcomeNote, WriteResult, release_shard, write_outcomes
from campaigns.states import State
from notifier.channels import channel
from notifier.channels.queues import queue_of
from notifier.delivery.accounts import rate_limits, registry
from notifier.delivery.infra.db_retry import retry_while_db_down
from notifier.delivery.ledger import claims
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.tasks import waiting
from notifier.vocabulary.status import Lane, Reason, Status

#: outcomes are written at least so often (seconds) while answers come slowly; half of the second in which a stop holds
WRITE_SECONDS = 0.1
CHECK_SECONDS = 0.5
#: a shard whose speed is limited goes back to the queue's end after so long, when others wait
MAX_TURN_SECONDS = 5.0
#: messages of a chunk: half of a window, at most this
MAX_CHUNK = 500


class _Lost(Exception):
    """The shard is another's: its lease ran out, or a stop closed it. Nothing of it may be written any more."""


class Sender:
    def __init__(self, claimed: ClaimedShard) -> None:
        self._claimed = claimed
        self._in_flight = InFlight(claimed)
        self._refusals = Recheck(claimed)
        campaign, account = claimed.campaign, claimed.account
        self._rate = registry.rate_of(account)
        own = campaign.rate_per_s
        self._limits = [rate_limits.of_campaign(campaign.pk, own)] if own else []
        self._window = self._in_flight.window
        self._before = replace(claimed.record)
        self._began = self._wrote = time.monotonic()
        self._again: list[int] = []

    def run(self) -> Shard.State | None:
        """Send what is left of the shard and let it go; its state then. None when another holder took it meanwhile."""
        claimed = self._claimed
        try:
            self._recover()
            try:
                self._send()
            except _Lost:
                raise
            except Exception:
                # what is on the wire was answered to nobody else: write it down before the shard goes to another
                self._drain()
                self._write(claimed.record.begun)
                raise
            self._drain()
            return self._leave()
        except _Lost:
            self._in_flight.withdraw()
            return None

    # -- sending --

    def _recover(self) -> None:
        """What an earlier holder had on the wire when it was lost: again where the collapse key hides a repeat."""
        if channel(self._claimed.channel).repeat_when_in_doubt:
            self._again = sorted(self._claimed.in_doubt)
            return
        for i in self._claimed.in_doubt:
            self._claimed.record.ended(i, Status.UNKNOWN, self._claimed.delay(), OutcomeNote(str(Reason.IN_DOUBT)))
            self._in_flight.dirty = True

    def _send(self) -> None:
        claimed, chunk = self._claimed, min(self._window // 2, MAX_CHUNK) or 1
        while self._in_flight.going and (rows := self._next(chunk)) and not self._over():
            if self._in_flight.on_wire and self._window - self._in_flight.on_wire < len(rows):
                self._gather(CHECK_SECONDS)
                continue
            grant = rate_limits.take(claimed.account.id, self._rate, len(rows), *self._limits)
            full_speed.note_grant(claimed.campaign.pk, whole=grant.granted == len(rows))
            if grant.granted:
                self._begin(rows[: grant.granted])
            self._gather(min(grant.wait, CHECK_SECONDS))

    def _over(self) -> bool:
        """Whether somebody else's turn has come: a shard that a limit makes slow would keep its worker for minutes."""
        return (
            bool(self._rate or self._limits)
            and time.monotonic() - self._began > MAX_TURN_SECONDS
            and waiting(queue_of(self._claimed.channel, Lane.BULK)) > 0
        )

    def _next(self, most: int) -> Sequence[int]:
        """Up to so many messages that may begin next."""
        record = self._claimed.record
        return self._again[:most] or range(record.begun, min(record.begun + most, record.size))

    def _begin(self, rows: Sequence[int]) -> None:
        refused = self._look(rows)
        if not self._in_flight.going:
            if not self._again:
                self._claimed.record.begun = rows[0]  # nothing of these was launched, whatever was written
            return
        if self._again:
            self._again = self._again[len(rows) :]
        for i, outcome in refused.items():
            self._in_flight.note(i, outcome, skipped=True)
        going = [i for i in rows if i not in refused] if refused else rows
        if going:
            self._in_flight.launch(going)

    def _look(self, rows: Sequence[int]) -> Mapping[int, Outcome]:
        """Whom to refuse; lets the others begin, if the campaign runs. Looks again when the database took its time:
        somebody may have said no meanwhile."""
        self._in_flight.ready()
        while True:
            looked = time.monotonic()
            refused = retry_while_db_down(lambda: self._refusals.of(rows))
            # a repeated message has begun already
            self._write(max(self._claimed.record.begun, rows[-1] + 1))
            if not self._in_flight.going or time.monotonic() - looked < CHECK_SECONDS:
                return refused

    # -- answers --

    def _gather(self, patience: float) -> None:
        self._in_flight.gather(patience)
        since = time.monotonic() - self._wrote
        if since > CHECK_SECONDS or (self._in_flight.dirty and since > WRITE_SECONDS):
            self._write(self._claimed.record.begun)

    def _drain(self) -> None:
        """Wait for everything on the wire."""
        while self._in_flight.on_wire:
            self._gather(CHECK_SECONDS)
        self._in_flight.learn()

    def _write(self, begin: int) -> None:
        """Write down what was answered; let messages up to `begin` begin. Raises _Lost."""
        claimed = self._claimed
        self._in_flight.dirty = False
        written = retry_while_db_down(
            lambda: self._write_all(lambda: write_outcomes(claimed.record, claimed.id, claimed.fence, begin))
        )
        self._wrote = time.monotonic()
        if not written.held:
            raise _Lost
        if self._in_flight.going and not written.running:
            self._in_flight.withdraw()
        if why := thresholds.verdict(thresholds.since(claimed.record, self._before), claimed.campaign):
            control.halt(claimed.campaign.pk, why, claimed.channel)

    def _leave(self) -> Shard.State:
        """Let the shard go. Not before its last answer is written: a worker killed in between must leave a lease that
        runs out, or nobody would account for its messages."""
        claimed = self._claimed

        after = retry_while_db_down(self._after)

        def write_last() -> WriteResult:
            there = release_shard(claimed.record, claimed.id, claimed.fence, after, ended=after != Shard.State.ARMED)
            return WriteResult(there, running=False)

        if not retry_while_db_down(lambda: self._write_all(write_last)).held:
            raise _Lost
        return after

    def _after(self) -> Shard.State:
        record = self._claimed.record
        if record.begun == record.size and not record.open():
            return Shard.State.DONE
        stopped = Campaign.objects.filter(pk=self._claimed.campaign.pk, state=State.CANCELLED).exists()
        return Shard.State.CANCELLED if stopped else Shard.State.ARMED

    def _write_all(self, write_it: Callable[[], WriteResult]) -> WriteResult:
        """The record, and the ledger's rows of those that are to be tried again, in one transaction."""
        if not (requeuing := self._in_flight.requeuing):
            return write_it()
        with transaction.atomic():
            written = write_it()
            if written.held:
                begun = claims.begin_armed([outcome.row for outcome in requeuing])
                settle([outcome for outcome in requeuing if outcome.row.id in begun])
        self._in_flight.requeuing = []
        return written
