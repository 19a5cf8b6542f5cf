"""Send one shard. Each chunk is one statement (write the answers, begin the chunk, renew the lease, check for a stop),
then its bodies go to the transport. Two chunks are in flight at once, so that the transport is busy while the database
commits.

A crash may repeat the messages that began without an answer that was written: a window at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from django.db import transaction

from campaigns.lifecycle.running import pausing, thresholds
from campaigns.models import Campaign, Shard
from campaigns.sending.claimed_shard import ClaimedShard
from campaigns.sending.in_flight import InFlight
from campaigns.sending.recheck import Recheck
from campaigns.shard import full_speed
from campaigns.shard.outcomes import OutcomeNote, WriteResult, release_shard, write_outcomes
from campaigns.states import State
from notifier import failpoints
from notifier.channels import channel
from notifier.channels.queues import queue_of
from notifier.delivery.accounts import rate_limits, registry
from notifier.delivery.infra.db_retry import retry_while_db_down
from notifier.delivery.ledger import claims
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.metrics.recording import measures
from notifier.tasks import waiting
from notifier.tracing import derived, switch
from notifier.vocabulary.status import Lane, Reason, Status

#: outcomes are written at least so often (seconds) while answers come slowly
WRITE_SECONDS = 0.1
#: half of the second within which a stop holds
CHECK_SECONDS = 0.5
#: a rate-limited shard goes back to the end of the queue after so long, when other tasks wait
MAX_TURN_SECONDS = 5.0


class _ClaimLost(Exception):
    """Another worker has the shard, because the lease ran out; or a stop closed it. This worker may write nothing."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """Messages that were checked, which of them to refuse, and until when the check holds (`time.monotonic()`)."""

    rows: Sequence[int]
    refusals: Mapping[int, Outcome]
    until: float


class Sender:
    """Sends one claimed shard, in one thread. `write` and `release` store its outcomes; `recheck` makes its checks."""

    def __init__(
        self,
        claimed: ClaimedShard,
        write: Callable[..., WriteResult] = write_outcomes,
        release: Callable[..., bool] = release_shard,
        recheck: Callable[[ClaimedShard], Recheck] = Recheck,
    ) -> None:
        self._claimed = claimed
        self._write_outcomes, self._release_shard = write, release
        self._in_flight = InFlight(claimed)
        self._recheck = recheck(claimed)
        #: messages of one check: fewer after a slow check, more after a quick one
        self._most = claimed.outcomes.size
        campaign, account = claimed.campaign, claimed.account
        self._rate = registry.rate_of(account)
        campaign_rate = campaign.rate_per_s
        self._limits = [rate_limits.campaign_limit(campaign.pk, campaign_rate)] if campaign_rate else []
        self._window = self._in_flight.window
        self._at_claim = replace(claimed.outcomes)
        self._began = self._wrote = time.monotonic()
        self._repeats: list[int] = []

    def run(self) -> Shard.State | None:
        """Send what is left of the shard and release it; returns its state then. None when the claim was lost."""
        claimed = self._claimed
        try:
            self._recover()
            try:
                self._send()
            except _ClaimLost:
                raise
            except Exception:
                # no other process has the answers to what is in flight: write them before another worker claims
                self._drain()
                self._write(claimed.outcomes.begun)
                raise
            self._drain()
            return self._release()
        except _ClaimLost:
            self._in_flight.withdraw()
            return None

    # -- sending --

    def _recover(self) -> None:
        """Messages that a lost worker had in flight: repeat them where the collapse key hides a repeat, else end them
        as unknown."""
        if channel(self._claimed.channel).repeat_when_in_doubt:
            self._repeats = sorted(self._claimed.in_doubt)
            return
        note = OutcomeNote(str(Reason.IN_DOUBT), receipt_after=registry.ask_after(self._claimed.account))
        for i in self._claimed.in_doubt:
            self._claimed.outcomes.mark_ended(i, Status.UNKNOWN, self._claimed.delay(), note)
            self._in_flight.unwritten = True

    def _send(self) -> None:
        claimed, chunk = self._claimed, self._in_flight.chunk
        while not self._in_flight.withdrawn and (rows := self._next(chunk)) and not self._turn_is_over():
            in_flight = self._in_flight.count
            if in_flight and self._window - in_flight < len(rows):
                self._collect(CHECK_SECONDS)
                continue
            grant = rate_limits.take_for_account(claimed.account.id, self._rate, len(rows), *self._limits)
            full_speed.note_grant(claimed.campaign.pk, whole=grant.granted == len(rows))
            if grant.granted:
                self._begin(rows[: grant.granted])
                failpoints.reach("shard.between-chunks")
            self._collect(min(grant.wait, CHECK_SECONDS))

    def _turn_is_over(self) -> bool:
        """Whether the shard should be claimed anew: its account is down and another takes over; or other tasks wait,
        after MAX_TURN_SECONDS of a rate-limited shard, which would keep this worker for minutes."""
        return self._in_flight.account_is_down or (
            bool(self._rate or self._limits)
            and time.monotonic() - self._began > MAX_TURN_SECONDS
            and waiting(queue_of(self._claimed.channel, Lane.BULK)) > 0
        )

    def _next(self, most: int) -> Sequence[int]:
        """Up to `most` messages that may begin next."""
        outcomes = self._claimed.outcomes
        return self._repeats[:most] or range(outcomes.begun, min(outcomes.begun + most, outcomes.size))

    def _begin(self, rows: Sequence[int]) -> None:
        """Begin these messages, so many at once as one check takes in time."""
        while rows:
            checked = self._check_and_write(rows)
            begun, refusals = checked.rows, checked.refusals
            if self._in_flight.withdrawn:
                if not self._repeats:
                    self._claimed.outcomes.begun = begun[0]  # none of these was sent, whatever was written
                return
            if self._repeats:
                self._repeats = self._repeats[len(begun) :]
            for i, outcome in refusals.items():
                self._in_flight.record_outcome(i, outcome, skipped=True)
            may_leave = [i for i in begun if i not in refusals] if refusals else begun
            failpoints.reach("shard.before-request")
            if may_leave and (not_stored := self._in_flight.send(may_leave, checked.until)):
                self._send_again(not_stored, len(may_leave))
                return
            rows = rows[len(begun) :]

    def _send_again(self, rows: Sequence[int], sent: int) -> None:
        """Let these messages, of `sent`, pass the check again, in smaller chunks. Waits when none was stored: the
        database may be away."""
        self._repeats = [*rows, *self._repeats]
        self._most = max(1, sent // 2)
        if len(rows) == sent:
            self._collect(CHECK_SECONDS)

    def _check_and_write(self, rows: Sequence[int]) -> _Checked:
        """Check the messages, or only the first of them when the check of all takes too long. Those that were checked
        and are not refused have begun, if the campaign runs. Checks again when the database was slow: a recipient may
        have opted out meanwhile."""
        self._in_flight.fetch_token()
        while True:
            rows, began = rows[: self._most], time.monotonic()
            refusals = retry_while_db_down(partial(self._recheck.refusals, rows))
            too_many = self._are_too_many(len(rows), time.monotonic() - began)
            begun = self._claimed.outcomes.begun
            # a repeated message has begun already. Too many messages: the write only renews the lease
            self._write(begun if too_many else max(begun, rows[-1] + 1))
            if self._in_flight.withdrawn or (not too_many and time.monotonic() - began < CHECK_SECONDS):
                return _Checked(rows, refusals, began + CHECK_SECONDS)

    def _are_too_many(self, count: int, seconds: float) -> bool:
        """Whether a check of `count` messages, which took `seconds`, leaves too little time to write and send them. A
        new plan of a message costs 110 µs of CPU: a check of 2,000 takes 0.2 s, and more than CHECK_SECONDS on a busy
        machine, however often it is repeated."""
        if seconds > CHECK_SECONDS / 2 and count > 1:
            self._most = count // 2
            return True
        if seconds < CHECK_SECONDS / 8:
            self._most = max(self._most, 2 * count)
        return False

    # -- answers --

    def _collect(self, timeout: float) -> None:
        self._in_flight.collect(timeout)
        since = time.monotonic() - self._wrote
        if since > CHECK_SECONDS or (self._in_flight.unwritten and since > WRITE_SECONDS):
            self._write(self._claimed.outcomes.begun)

    def _drain(self) -> None:
        """Wait until nothing is in flight."""
        while self._in_flight.count:
            self._collect(CHECK_SECONDS)
        self._in_flight.update_health()
        self._in_flight.record_measures()

    def _write(self, begin: int) -> None:
        """Write the outcomes; let messages up to `begin` begin. Raises _ClaimLost."""
        claimed = self._claimed
        traced_at = switch.clock() if claimed.trace is not None and self._in_flight.unwritten else 0
        if self._in_flight.unwritten:
            failpoints.reach("shard.before-commit")
        self._in_flight.unwritten = False
        began = time.monotonic()
        result = retry_while_db_down(
            lambda: self._with_requeued(
                lambda: self._write_outcomes(claimed.outcomes, claimed.id, claimed.fence, begin)
            )
        )
        self._wrote = time.monotonic()
        measures.observe(measures.CHUNK_SECONDS, self._wrote - began, claimed.channel)
        self._in_flight.record_measures()
        if traced_at and claimed.trace is not None:
            derived.record_within(claimed.trace, "settle", traced_at, {"begun": claimed.outcomes.begun})
        if not result.claimed:
            raise _ClaimLost
        if not self._in_flight.withdrawn and not result.running:
            self._in_flight.withdraw()
        counts, campaign = thresholds.difference(claimed.outcomes, self._at_claim), claimed.campaign
        if why := thresholds.reason_to_halt(counts, campaign, answers=lambda: self._in_flight.failures):
            pausing.halt(campaign.pk, why, claimed.channel)

    def _release(self) -> Shard.State:
        """Release the shard, in the statement that writes its last answers: when a worker is killed before, the shard
        must keep a lease that runs out, or nothing would account for its messages."""
        claimed = self._claimed
        state = retry_while_db_down(self._next_state)
        failpoints.reach("shard.before-release")

        def write_last() -> WriteResult:
            ended = state != Shard.State.ARMED
            still_claimed = self._release_shard(claimed.outcomes, claimed.id, claimed.fence, state, ended=ended)
            return WriteResult(still_claimed, running=False)

        if not retry_while_db_down(lambda: self._with_requeued(write_last)).claimed:
            raise _ClaimLost
        return state

    def _next_state(self) -> Shard.State:
        outcomes = self._claimed.outcomes
        if outcomes.begun == outcomes.size and not outcomes.unanswered():
            return Shard.State.DONE
        stopped = Campaign.objects.filter(pk=self._claimed.campaign.pk, state=State.CANCELLED).exists()
        return Shard.State.CANCELLED if stopped else Shard.State.ARMED

    def _with_requeued(self, write: Callable[[], WriteResult]) -> WriteResult:
        """Write the shard's outcomes, and the ledger's rows of the requeued messages, in one transaction."""
        if not (requeued := self._in_flight.requeued):
            return write()
        with transaction.atomic():
            result = write()
            if result.claimed:
                begun = claims.begin_armed([outcome.row for outcome in requeued])
                # nothing was tried for a message that waits: its first attempt takes its places under frequency caps
                claims.unbegin([outcome.row for outcome in requeued if outcome.held])
                settle([outcome for outcome in requeued if outcome.row.id in begun])
        self._in_flight.requeued = []
        return result
