"""Any interleaving of claims, chunks, answers, killed workers that come back, pauses, stops and retries leaves a shard
with one holder, its counts right, and every message of the campaign accounted for. Hypothesis chooses the steps;
PostgreSQL runs the statements of campaigns.sending, campaigns.shard and campaigns.lifecycle."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from campaigns.lifecycle.fan_out.finish import finish_if_done
from campaigns.lifecycle.running import pausing, stopping
from campaigns.models import Campaign, Shard, ShardPayload
from campaigns.report import accounting
from campaigns.sending.claim import claim, reset
from campaigns.sending.claimed_shard import ClaimedShard
from campaigns.sending.shards import send_shard
from campaigns.shard.outcomes import OutcomeNote, ShardOutcomes, WriteResult, release_shard, write_outcomes
from campaigns.states import State
from notifier.delivery.ledger import claims
from notifier.delivery.ledger.claims import ClaimOptions
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.models import Delivery
from notifier.vocabulary.status import FINAL, Lane, Reason, Status
from tenants.models import AuditLog
from tests.campaigns.fake_client import Post, account, retried
from tests.campaigns.fake_client import post as post

PEOPLE, SHARD_SIZE = 8, 3
ANSWERS = ("sent", "rejected", "dead", "again", "unknown")


@dataclass
class Worker:
    """A worker that holds a shard, or held it. It may have been killed, or hung, and come back."""

    held: ClaimedShard
    #: messages whose requests left, and whose answers have not come
    flying: list[int] = field(default_factory=list)
    #: messages that a lost worker had in flight, and that this one repeats
    repeats: list[int] = field(default_factory=list)
    requeued: list[Outcome] = field(default_factory=list)


class ShardMachine(RuleBasedStateMachine):
    post: ClassVar[Post]

    @initialize()
    def launch(self) -> None:
        reset()
        self.campaign = self.post.running()
        self.shards = [shard.pk for shard in Shard.objects.filter(campaign=self.campaign).order_by("number")]
        assert len(self.shards) == -(-PEOPLE // SHARD_SIZE)
        self.workers: dict[int, Worker] = {}
        self.killed: list[Worker] = []
        #: requests of each message at the receiver, and why there may be more than one
        self.left: Counter[uuid.UUID] = Counter()
        self.excused: Counter[uuid.UUID] = Counter()
        self.fences: dict[uuid.UUID, int] = dict.fromkeys(self.shards, 0)
        self.finished = 0

    # ---- what workers do -------------------------------------------------------------------------------------------

    @rule(n=st.integers(0, 1), number=st.integers(0, 2))
    def claim(self, n: int, number: int) -> None:
        if n in self.workers:
            return
        before = self._shard(self.shards[number])
        held = claim(before.pk, f"worker-{n}")
        lost = before.state == "running" and before.lease_until is not None and before.lease_until < datetime.now(UTC)
        may_leave = self._state() == State.RUNNING and "push" not in self._campaign().halted_channels
        assert (held is not None) == (may_leave and (before.state == "armed" or lost))
        if held is not None:
            assert held.fence == before.fence + 1
            self.workers[n] = Worker(held, repeats=sorted(held.in_doubt))

    @precondition(lambda self: self.workers)
    @rule(n=st.integers(0, 1), most=st.integers(1, 3))
    def begin(self, n: int, most: int) -> None:
        """Let the next chunk begin: the repeats first."""
        if (worker := self.workers.get(n)) is None:
            return
        outcomes, held = worker.held.outcomes, worker.held
        begun = outcomes.begun
        upto = begun if worker.repeats else min(outcomes.size, begun + most)
        written = self._write(worker, upto)
        if not written.claimed:
            del self.workers[n]
            return
        assert written.running == (self._state() == State.RUNNING and not self._campaign().halted_channels)
        if not written.running:
            return
        leaving, worker.repeats = worker.repeats or range(begun, upto), []
        worker.flying += leaving
        for i in leaving:
            self.left[held.payload.id(i)] += 1

    @precondition(lambda self: self.workers)
    @rule(n=st.integers(0, 1), answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=3))
    def answer(self, n: int, answers: list[str]) -> None:
        if worker := self.workers.get(n):
            self._answer(worker, answers)

    @precondition(lambda self: self.workers)
    @rule(n=st.integers(0, 1))
    def write(self, n: int) -> None:
        if (worker := self.workers.get(n)) and not self._write(worker, worker.held.outcomes.begun).claimed:
            del self.workers[n]

    @precondition(lambda self: self.workers)
    @rule(n=st.integers(0, 1))
    def release(self, n: int) -> None:
        """The worker waits for its answers, and gives the shard back."""
        if worker := self.workers.pop(n, None):
            self._answer(worker, ["sent"] * len(worker.flying))
            self._release(worker)

    @rule(n=st.integers(0, 1))
    def kill(self, n: int) -> None:
        """The worker's lease ends. It may have hung instead, see `come_back`."""
        if worker := self.workers.pop(n, None):
            self._lose(worker)

    @precondition(lambda self: self.killed)
    @rule(answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=3), releases=st.booleans())
    def come_back(self, answers: list[str], releases: bool) -> None:
        """A worker that hung writes what it knows: nothing changes where another one has claimed the shard since."""
        worker = self.killed.pop()
        self._answer(worker, answers)
        before = self._stored(worker.held.id)
        shard = self._shard(worker.held.id)
        holds = shard.fence == worker.held.fence and shard.state == "running"
        written = self._release(worker) if releases else self._write(worker, worker.held.outcomes.size)
        assert written.claimed == holds
        if not holds:
            assert self._stored(worker.held.id) == before
        elif not releases:
            if written.running:  # it began the rest of the shard, and hung again
                self.left.update(worker.held.payload.id(i) for i in worker.repeats)
                begun = [i for i in worker.held.outcomes.unanswered() if not self.left[worker.held.payload.id(i)]]
                self.left.update(worker.held.payload.id(i) for i in begun)
            self._lose(worker)

    @rule(
        n=st.integers(0, 1),
        number=st.integers(0, 2),
        answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=3),
    )
    def hang(self, n: int, number: int, answers: list[str]) -> None:
        """A worker hangs in the middle of a chunk, another one takes its shard, and the first one comes back."""
        self.kill(n)
        self.claim(n, number)
        self.begin(n, 2) if n in self.workers else None
        self.kill(n)
        self.claim(1 - n, number)
        if self.killed:
            self.come_back(answers, releases=False)

    # ---- what people and the sweep do ------------------------------------------------------------------------------

    @rule()
    def pause(self) -> None:
        if self._state() == State.RUNNING:
            pausing.pause(self.campaign.tenant_id, self.campaign.pk)

    @rule()
    def halt(self) -> None:
        pausing.halt(self.campaign.pk, "too many errors", "push")

    @rule()
    def resume(self) -> None:
        if self._state() in (State.PAUSED, State.RUNNING):
            pausing.resume(self.campaign.tenant_id, self.campaign.pk)
            reset()

    @rule(really=st.integers(0, 3))
    def stop(self, really: int) -> None:
        if not really and self._state() in (State.RUNNING, State.PAUSED):
            stopping.stop(self.campaign.tenant_id, self.campaign.pk)

    @rule()
    def cancel_rows(self) -> None:
        stopping.cancel_rows(self.campaign.pk)

    @rule()
    def retry(self) -> None:
        """The engine sends what shards requeued; a paused or stopped campaign holds it back."""
        if self._state() != State.RUNNING or self._campaign().halted_channels:
            return
        self._rows().filter(status=Status.QUEUED).update(due_at=datetime.now(UTC) - timedelta(seconds=1))
        rows = claims.claim("push", (Lane.BULK,), 50, (), ClaimOptions(begin=True))
        for row in rows:
            self.left[row.id] += 1
            self.excused[row.id] += 1
        settle([Outcome(row, Status.SENT) for row in rows])

    @rule()
    def finish(self) -> None:
        if finish_if_done(self.campaign.pk):
            self.finished += 1
            assert not Shard.objects.filter(campaign=self.campaign, state__in=("armed", "running")).exists()

    @rule()
    def account(self) -> None:
        accounting.account(self.campaign.pk)

    # ---- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def fences_only_grow_and_counts_agree_with_outcomes(self) -> None:
        if not hasattr(self, "campaign"):
            return
        payloads = dict(ShardPayload.objects.filter(shard__in=self.shards).values_list("shard_id", "outcomes"))
        for shard in Shard.objects.filter(pk__in=self.shards):
            assert shard.fence >= self.fences[shard.pk]
            self.fences[shard.pk] = shard.fence
            if shard.pk not in payloads:
                assert shard.accounted
                continue
            codes = bytes(payloads[shard.pk] or b"")
            outcomes = ShardOutcomes.unpack(shard.size, shard.begun, codes, b"", b"")
            assert (shard.sent, shard.requeued) == (outcomes.sent, outcomes.requeued)
            assert len(codes) <= shard.begun <= shard.size

    @invariant()
    def one_worker_holds_a_shard(self) -> None:
        if hasattr(self, "campaign"):
            holders = Counter(
                worker.held.id
                for worker in self.workers.values()
                if self._shard(worker.held.id).fence == worker.held.fence
                and self._shard(worker.held.id).state == "running"
            )
            assert all(count == 1 for count in holders.values())

    @invariant()
    def nothing_leaves_twice_without_a_reason(self) -> None:
        if hasattr(self, "campaign"):
            assert all(count <= 1 + self.excused[pk] for pk, count in self.left.items())
            assert self.finished <= 1

    def teardown(self) -> None:
        """Once workers run undisturbed, every message ends, and the campaign is closed once."""
        if not hasattr(self, "campaign"):
            return
        for n in range(2):
            self.kill(n)
        self.resume()
        reset()
        for _ in range(10):
            stopping.cancel_rows(self.campaign.pk)
            for pk in self.shards:
                send_shard(pk, "last")
            retried(self.campaign)
            self.finish()
            if self._state() in (State.FINISHED, State.CANCELLED) and not self._unfinished():
                break
        account(self.campaign)
        assert self._state() in (State.FINISHED, State.CANCELLED)
        statuses = Counter(Status(status) for status in self._rows().values_list("status", flat=True))
        assert set(statuses) <= FINAL
        assert statuses.total() == PEOPLE
        if self._state() == State.FINISHED:
            assert not statuses[Status.CANCELLED]
        closed = AuditLog.objects.filter(
            object_id=str(self.campaign.pk), action__in=("campaign.finished", "campaign.cancelled")
        )
        assert closed.count() == 1
        began = set(self.left) | {row.pk for row in self._rows() if row.address in self.post.client.counted}
        taken = self._rows().filter(status=Status.SENT).values_list("pk", flat=True)
        assert set(taken) <= began, "what was never sent must not be called sent"
        self.post.client.begun.clear()

    # ---- helpers ---------------------------------------------------------------------------------------------------

    def _rows(self) -> Any:
        return Delivery.objects.filter(campaign_id=self.campaign.pk)

    def _unfinished(self) -> bool:
        open_shards = Shard.objects.filter(campaign=self.campaign, state__in=("armed", "running"))
        waiting = self._rows().filter(status__in=(Status.QUEUED, Status.CLAIMED, Status.SENDING))
        return bool(open_shards.exists() or waiting.exists())

    def _campaign(self) -> Campaign:
        return Campaign.objects.get(pk=self.campaign.pk)

    def _state(self) -> str:
        return str(self._campaign().state)

    def _shard(self, pk: uuid.UUID) -> Shard:
        return Shard.objects.get(pk=pk)

    def _stored(self, pk: uuid.UUID) -> tuple[Any, ...]:
        """Everything that is stored of the shard, and the ledger's rows of its messages."""
        payloads = list(ShardPayload.objects.filter(shard=pk).values())
        return Shard.objects.values().get(pk=pk), payloads, list(self._rows().order_by("pk").values())

    def _answer(self, worker: Worker, answers: Sequence[str]) -> None:
        for name in answers[: len(worker.flying)]:
            self._record(worker, worker.flying.pop(0), name)

    def _record(self, worker: Worker, i: int, name: str) -> None:
        outcomes, row = worker.held.outcomes, worker.held.ledger_row(i)
        delay = worker.held.delay()
        match name:
            case "sent":
                outcomes.mark_sent([i], delay)
            case "rejected":
                outcomes.mark_ended(i, Status.FAILED, delay, OutcomeNote(str(Reason.REJECTED), "no"))
            case "dead":
                outcomes.mark_ended(
                    i, Status.FAILED, delay, OutcomeNote(str(Reason.DEAD_ADDRESS), "gone", dead_as_of=0)
                )
            case "again":
                outcomes.mark_ended(i, Status.QUEUED, delay, OutcomeNote())
                worker.requeued.append(Outcome(row, Status.QUEUED, "", "busy", wait=1.0))
            case "unknown":
                outcomes.mark_ended(i, Status.UNKNOWN, delay, OutcomeNote(str(Reason.IN_DOUBT), "no answer"))

    def _write(self, worker: Worker, begin: int) -> WriteResult:
        held = worker.held
        return self._with_requeued(worker, lambda: write_outcomes(held.outcomes, held.id, held.fence, begin))

    def _release(self, worker: Worker) -> WriteResult:
        held, outcomes = worker.held, worker.held.outcomes
        state = Shard.State.ARMED
        if outcomes.begun == outcomes.size and not outcomes.unanswered():
            state = Shard.State.DONE
        elif self._state() == State.CANCELLED:
            state = Shard.State.CANCELLED
        self._excuse(worker, state)

        def write() -> WriteResult:
            ended = state != Shard.State.ARMED
            return WriteResult(release_shard(outcomes, held.id, held.fence, state, ended=ended), running=False)

        return self._with_requeued(worker, write)

    def _with_requeued(self, worker: Worker, write: Any) -> WriteResult:
        with transaction.atomic():
            result: WriteResult = write()
            if result.claimed and worker.requeued:
                begun = claims.begin_armed([outcome.row for outcome in worker.requeued])
                settle([outcome for outcome in worker.requeued if outcome.row.id in begun])
                worker.requeued = []
        return result

    def _excuse(self, worker: Worker, state: str) -> None:
        """What this worker had in flight without a written answer may be sent again."""
        if state == Shard.State.ARMED:
            self.excused.update(worker.held.payload.id(i) for i in worker.held.outcomes.unanswered())

    def _lose(self, worker: Worker) -> None:
        self.killed.append(worker)
        self.excused.update(worker.held.payload.id(i) for i in range(worker.held.outcomes.size))
        ours = Shard.objects.filter(pk=worker.held.id, fence=worker.held.fence, state="running")
        ours.update(lease_until=datetime.now(UTC) - timedelta(hours=1))


@pytest.mark.django_db(transaction=True)
def test_every_interleaving_of_workers_keeps_shards_whole(post: Post, settings: Settings) -> None:
    settings.LEASE_SECONDS = 0.1  # a lease ends at the earliest so long after the start of PostgreSQL
    settings.SHARD_SIZE = SHARD_SIZE
    post.people(PEOPLE)
    ShardMachine.post = post
    run_state_machine_as_test(ShardMachine, settings=_BOUNDS)


#: a write that its stale fence does not stop fails within the first examples
_BOUNDS = settings(
    max_examples=20,
    stateful_step_count=20,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
