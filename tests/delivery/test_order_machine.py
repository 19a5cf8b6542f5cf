"""Any interleaving of acceptance, claims, answers, killed workers, cancellations and sweeps keeps the order of
acceptance, one message of an ordering queue in flight, and every message accounted for. Hypothesis chooses the steps;
PostgreSQL runs them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
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

from notifier.delivery import Accepted
from notifier.delivery.content import templates
from notifier.delivery.ledger import claims, waiting_rows
from notifier.delivery.ledger.claims import Claimed, ClaimOptions
from notifier.delivery.ledger.retry import HOLD_SECONDS
from notifier.delivery.ledger.settle import Outcome, queue_again, settle
from notifier.delivery.sweep import sweep
from notifier.models import Delivery, OrderingQueue, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import FINAL, IN_QUEUE, Lane, QueuePosition, Reason, Status
from tenants.models import Category
from tests.delivery.build import TEXT, Shop, a_shop

PEOPLE = ("ada", "ben")
#: an inbox may get a message again; a text message that is in doubt is not repeated
CHANNELS = ("in_app", "sms")
CATEGORIES = ("orders", "news", "codes")  # one in each lane
LANES = (Lane.CRITICAL, Lane.TRANSACTIONAL, Lane.BULK)
IN_FLIGHT = (Status.CLAIMED, Status.SENDING)

#: what a worker writes of a message, by the name of the answer
ANSWERS: dict[str, Callable[[Claimed], Outcome]] = {
    "sent": lambda row: Outcome(row, Status.SENT),
    "rejected": lambda row: Outcome(row, Status.FAILED, Reason.REJECTED, "no such number"),
    "exhausted": lambda row: Outcome(row, Status.FAILED, Reason.EXHAUSTED, "too often", dead_letter=True),
    "in doubt": lambda row: Outcome(row, Status.UNKNOWN, Reason.IN_DOUBT, "no answer"),
    "again soon": lambda row: Outcome(row, Status.QUEUED, "", "busy", wait=HOLD_SECONDS / 6),
    "again late": lambda row: Outcome(row, Status.QUEUED, "", "busy", wait=HOLD_SECONDS * 2),
    "quiet hours": lambda row: Outcome(row, Status.QUEUED, wait=3600.0, held=True),
}


@dataclass
class Worker:
    """What one worker holds. A worker that was killed may still come back and write."""

    claimed: list[Claimed] = field(default_factory=list)
    sending: list[Claimed] = field(default_factory=list)


class OrderMachine(RuleBasedStateMachine):
    shop: ClassVar[Shop]

    @initialize()
    def begin(self) -> None:
        self.workers = [Worker(), Worker()]
        self.killed: list[Worker] = []
        #: the messages of each queue in the order of their acceptance
        self.accepted: dict[Any, list[uuid.UUID]] = defaultdict(list)
        #: messages that gave up their place: parked at acceptance, or a retry that waits longer than a turn is held
        self.parked: set[uuid.UUID] = set()
        #: messages whose cancellation was answered: no other attempt follows
        self.cancelled: set[uuid.UUID] = set()

    # ---- what happens ----------------------------------------------------------------------------------------------

    @rule(
        requests=st.lists(
            st.tuples(st.sampled_from(PEOPLE), st.sampled_from(CHANNELS), st.sampled_from(CATEGORIES), st.booleans()),
            min_size=1,
            max_size=4,
        )
    )
    def accept(self, requests: list[tuple[str, str, str, bool]]) -> None:
        later = datetime.now(UTC) + timedelta(hours=1)
        outcomes = self.shop.accept(
            *[
                SendRequest(
                    person,
                    "order",
                    data={"order": "7"},
                    channels=(channel,),
                    category=category,
                    send_at=later if scheduled else None,
                )
                for person, channel, category, scheduled in requests
            ]
        )
        for outcome, (person, channel, category, scheduled) in zip(outcomes, requests, strict=True):
            assert isinstance(outcome, Accepted)
            [delivery] = outcome.deliveries
            self.accepted[person, channel, category].append(delivery.id)
            if scheduled:
                self.parked.add(delivery.id)

    @rule(n=st.integers(0, 1), channel=st.sampled_from(CHANNELS), limit=st.sampled_from([1, 2, 50]))
    def claim(self, n: int, channel: str, limit: int) -> None:
        begins = channel == "in_app"
        rows = claims.claim(channel, LANES, limit, (), ClaimOptions(begin=begins))
        assert not self.cancelled.intersection(row.id for row in rows)
        if begins:
            self._leaves(rows)
            self.workers[n].sending += rows
        else:
            self.workers[n].claimed += rows

    @rule(n=st.integers(0, 1))
    def begin_requests(self, n: int) -> None:
        worker = self.workers[n]
        begun = claims.begin(worker.claimed)
        self._leaves(begun)
        worker.sending += begun
        worker.claimed = []

    @rule(n=st.integers(0, 1), answers=st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=6))
    def answer(self, n: int, answers: list[str]) -> None:
        worker = self.workers[n]
        answered, worker.sending = worker.sending[: len(answers)], worker.sending[len(answers) :]
        self._settle([ANSWERS[name](row) for name, row in zip(answers, answered, strict=False)])

    @rule(n=st.integers(0, 1), wait=st.sampled_from([0.0, 15.0]))
    def release(self, n: int, wait: float) -> None:
        worker = self.workers[n]
        unsent = [row for row in worker.sending if row.channel == "in_app"]  # its claim began it
        queue_again(worker.claimed + unsent, wait)
        worker.claimed = []
        worker.sending = [row for row in worker.sending if row not in unsent]

    @rule(n=st.integers(0, 1), answer=st.sampled_from(sorted(ANSWERS)))
    def refuse_unsent(self, n: int, answer: str) -> None:
        """A check after the claim decided that the messages do not leave, or not now."""
        worker = self.workers[n]
        claims.unbegin(worker.sending)
        self._settle([ANSWERS[answer](row) for row in worker.sending])
        worker.sending = []

    @rule(n=st.integers(0, 1))
    def kill(self, n: int) -> None:
        """The worker's leases end. It may have hung instead, see `come_back`."""
        dead, self.workers[n] = self.workers[n], Worker()
        self.killed.append(dead)
        ids = [row.id for row in dead.claimed + dead.sending]
        held = Delivery.objects.filter(id__in=ids, status__in=IN_FLIGHT)
        fences = {row.id: row.fence for row in dead.claimed + dead.sending}
        ours = [pk for pk, fence in held.values_list("pk", "fence") if fence == fences[pk]]
        Delivery.objects.filter(id__in=ours).update(lease_until=datetime.now(UTC) - timedelta(hours=1))

    @precondition(lambda self: self.killed)
    @rule(answer=st.sampled_from(sorted(ANSWERS)))
    def come_back(self, answer: str) -> None:
        """A worker that hung writes what it knows: nothing changes where its fence is stale."""
        worker = self.killed.pop()
        for row in worker.claimed + worker.sending:
            before = Delivery.objects.values().get(pk=row.id)
            holds = before["fence"] == row.fence and before["status"] in IN_FLIGHT
            written = self._settle([ANSWERS[answer](row)])
            assert written == holds
            queue_again([row], 0.0)
            assert claims.renew([row]) == []
            if not holds:
                assert Delivery.objects.values().get(pk=row.id) == before

    @rule(n=st.integers(0, 1), answer=st.sampled_from(sorted(ANSWERS)))
    def hang(self, n: int, answer: str) -> None:
        """The same, after another worker took the messages."""
        self.kill(n)
        self.sweep()
        for channel in CHANNELS:
            self.claim(1 - n, channel, 50)
        self.come_back(answer)

    @rule()
    def sweep(self) -> None:
        sweep()

    @rule()
    def time_passes(self) -> None:
        """Everything that waits for a time is due."""
        self._rows().filter(status=Status.QUEUED).update(due_at=datetime.now(UTC) - timedelta(seconds=1))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        unfinished = list(self._rows().filter(status__lt=Status.SENT).order_by("seq"))
        if unfinished:
            row = data.draw(st.sampled_from(unfinished), label="row")
            in_flight = row.status == Status.SENDING
            assert waiting_rows.cancel([row.notification_id]) == (not in_flight, in_flight)
            self.cancelled.add(row.id)

    # ---- what always holds -----------------------------------------------------------------------------------------

    @invariant()
    def a_cancelled_message_waits_for_nothing(self) -> None:
        assert not self._rows().filter(pk__in=self.cancelled, status__in=[Status.QUEUED, Status.CLAIMED]).exists()

    @invariant()
    def queues_agree_with_their_rows(self) -> None:
        rows = defaultdict(list)
        for row in self._rows().filter(status__lt=Status.SENT):
            rows[row.recipient_id, row.channel, row.lane].append(row)
        for queue in OrderingQueue.objects.filter(tenant=self.shop.tenant):
            own = rows.pop((queue.recipient_id, queue.channel, queue.lane), [])
            turns = [row for row in own if row.queue_position == QueuePosition.HAS_TURN]
            waiting = [row for row in own if row.queue_position == QueuePosition.WAITING]
            assert queue.unfinished == len(own) == sum(row.queue_position in IN_QUEUE for row in own)
            assert queue.turn_taken == bool(turns)
            assert len(turns) <= 1
            assert turns or not waiting
            assert sum(row.status in IN_FLIGHT for row in own) <= 1
        assert not rows

    def teardown(self) -> None:
        """Once workers run undisturbed, every message ends."""
        if not hasattr(self, "workers"):
            return
        for n in range(2):
            self.kill(n)
        for _ in range(30):
            self.time_passes()
            self.sweep()
            if not self._rows().filter(status__lt=Status.SENT).exists():
                break
            for channel in CHANNELS:
                self.claim(0, channel, 50)
            self.begin_requests(0)
            self.answer(0, ["sent"] * 50)
        assert {Status(status) for status in self._rows().values_list("status", flat=True)} <= FINAL
        assert sum(map(len, self.accepted.values())) == self._rows().count()
        self.queues_agree_with_their_rows()
        self._rows().delete()

    # ---- helpers ---------------------------------------------------------------------------------------------------

    def _rows(self) -> Any:
        return Delivery.objects.filter(tenant=self.shop.tenant)

    def _settle(self, outcomes: list[Outcome]) -> int:
        held = {o.row.id: o.row.fence for o in outcomes}
        current = self._rows().filter(pk__in=held, status__in=IN_FLIGHT).values_list("pk", "fence")
        ours = {pk for pk, fence in current if fence == held[pk]}
        # an earlier attempt may have arrived: such a row is in doubt, and waits as it is told, too
        self.parked |= {o.row.id for o in outcomes if o.row.id in ours and o.queue_position == QueuePosition.PARKED}
        return settle(outcomes)

    def _leaves(self, rows: list[Claimed]) -> None:
        """The requests of these rows begin: everything that was accepted before them has ended, or gave up its
        place."""
        unfinished = set(self._rows().filter(status__lt=Status.SENT).values_list("pk", flat=True))
        for row in rows:
            [queue] = [queue for queue in self.accepted.values() if row.id in queue]
            earlier = queue[: queue.index(row.id)]
            assert not (unfinished - self.parked).intersection(earlier)


@pytest.mark.django_db(transaction=True)
def test_every_interleaving_keeps_order_and_accounts_for_every_message(settings: Settings) -> None:
    settings.LEASE_SECONDS = 0.1  # a lease ends at the earliest so long after the start of PostgreSQL
    OrderMachine.shop = _shop()
    run_state_machine_as_test(OrderMachine, settings=_BOUNDS)


#: 10 s of CPU. A queue that passes its turn to the wrong row, or to none, fails within the first examples
_BOUNDS = settings(
    max_examples=20,
    stateful_step_count=20,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def _shop() -> Shop:
    shop = a_shop()
    for key, kind in (("news", "marketing"), ("codes", "critical")):
        Category.objects.create(tenant=shop.tenant, key=key, name=key, kind=kind)
    template = Template.objects.get(tenant=shop.tenant)
    templates.publish(template, {"in_app": {"en": TEXT}, "sms": {"en": {"text": "Order {{ order }}"}}})
    for n, person in enumerate(PEOPLE):
        shop.recipient(person, phone=f"+4915112345{n:03}")
    return shop
