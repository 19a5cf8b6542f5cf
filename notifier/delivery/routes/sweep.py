"""The wakeup of routes: the sweep looks at every due route, and starts, skips or stops its later steps."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
from django.conf import settings
from django.db import transaction

from notifier import failpoints
from notifier.channels.queues import queue_of
from notifier.delivery.ledger import history, ordering, route_rows
from notifier.delivery.ledger.route_rows import Locked, RoutedRow, RouteRow
from notifier.delivery.routes.decide import LOOK_AGAIN, Decision, Verb, decide
from notifier.delivery.routes.facts import facts_of
from notifier.delivery.wakeup import signal
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.routes import from_json, step_of
from notifier.vocabulary.status import IN_QUEUE, QueuePosition, Reason, Status

#: routes of one transaction, and transactions of one sweep
BATCH, BATCHES = 500, 10
#: so long after a step started, the sweep looks whether its messages have left or are held
SETTLING = timedelta(seconds=5)


@dataclass
class _Changes:
    """What one transaction writes."""

    started: list[uuid.UUID] = field(default_factory=list)
    stopped: list[tuple[uuid.UUID, str]] = field(default_factory=list)
    events: list[history.EventRow] = field(default_factory=list)
    routes: list[RouteRow] = field(default_factory=list)
    freed: list[ordering.OrderingQueue] = field(default_factory=list)


def sweep(now: datetime) -> None:
    """Look at the routes that are due. Several sweeps may run at once: a route that another sweep holds, or has looked
    at meanwhile, is left out."""
    for _ in range(BATCHES):
        with transaction.atomic():
            notifications = route_rows.due(now, BATCH)
            if notifications:
                _look_at_all(notifications, now)
                failpoints.reach("routes.before-commit")
        if len(notifications) < BATCH:
            break


def _look_at_all(notifications: Sequence[uuid.UUID], now: datetime) -> None:
    locked = route_rows.lock(notifications, now)
    if not locked.routes:
        return
    rows: defaultdict[uuid.UUID, list[RoutedRow]] = defaultdict(list)
    for row in route_rows.read_rows([route.notification_id for route in locked.routes]):
        rows[row.notification_id].append(row)
    changes = _Changes()
    for route in locked.routes:
        _Look(route, rows[route.notification_id], locked, changes, now).run()
    _write(changes, locked)


def _write(changes: _Changes, locked: Locked) -> None:
    route_rows.start(changes.started)
    route_rows.stop(changes.stopped)
    history.add_events(changes.events)
    route_rows.save(changes.routes)
    if changes.started or changes.stopped:
        ordering.save(locked.queues.values())
    free = [queue.id for queue in changes.freed if queue.unfinished and not queue.turn_taken]
    if turned := ordering.pass_on(free):
        queues = {queue_of(channel, lane) for channel, lane in turned}
        transaction.on_commit(lambda: signal.notify(queues))


class _Look:
    """The look at one route: decides until nothing more can be decided now."""

    def __init__(
        self, stored: RouteRow, rows: list[RoutedRow], locked: Locked, changes: _Changes, now: datetime
    ) -> None:
        self._stored, self._rows, self._locked, self._changes, self._now = stored, rows, locked, changes, now
        self._route = from_json(orjson.loads(stored.steps))

    def run(self) -> None:
        if any(_waits(row) and row.id not in self._locked.deliveries for row in self._rows):
            return  # another transaction cancels or moves the notification: the next sweep looks again
        while True:
            facts = facts_of(self._rows, self._route)
            decision = decide(self._route, self._stored.step, facts, self._now)
            match decision.verb:
                case Verb.WAIT:
                    return self._save(decision.at)
                case Verb.END:
                    return self._save(None)
                case Verb.STOP:
                    steps = range(decision.step + 1, len(self._route) + 1)
                    self._stop([row for row in self._rows if self._step_of(row) in steps], decision.detail)
                    return self._save(None)
                case Verb.SKIP:
                    self._stop([row for row in self._rows if self._step_of(row) == decision.step], decision.detail)
                    self._stored = self._stored._replace(step=decision.step)
                case Verb.START:
                    waiting = [row for row in self._rows if self._step_of(row) == decision.step and _waits(row)]
                    if waiting:
                        return self._start(waiting, decision)
                    self._stored = self._stored._replace(step=decision.step)

    def _step_of(self, row: RoutedRow) -> int:
        return step_of(self._route, row.channel)

    def _save(self, due_at: datetime | None) -> None:
        self._changes.routes.append(self._stored._replace(due_at=due_at))

    def _start(self, rows: Sequence[RoutedRow], decision: Decision) -> None:
        """Let the messages of the step join their ordering queues. While a queue is full, the step waits."""
        queues = [self._locked.queues[row.queue_key] for row in rows]
        if any(queue.unfinished + queues.count(queue) > settings.ORDERING_QUEUE_LIMIT for queue in queues):
            return self._save(self._now + LOOK_AGAIN)
        for row, queue in zip(rows, queues, strict=True):
            queue.unfinished += 1
            self._changes.started.append(row.id)
            self._changes.events.append(
                history.EventRow(new_id(), row.tenant_id, row.id, "started", decision.detail, self._now)
            )
        self._stored = self._stored._replace(step=decision.step)
        self._save(self._now + SETTLING)

    def _stop(self, rows: Sequence[RoutedRow], detail: str) -> None:
        """End those of the messages that wait, and that nothing was tried of."""
        for row in rows:
            if row.id not in self._locked.deliveries or row.attempt:
                continue
            self._changes.stopped.append((row.id, detail))
            if row.queue_position in IN_QUEUE:
                queue = self._locked.queues[row.queue_key]
                queue.unfinished -= 1
                queue.turn_taken &= row.queue_position != QueuePosition.HAS_TURN
                self._changes.freed.append(queue)
            ended = row._replace(status=int(Status.SUPPRESSED), reason=Reason.NOT_NEEDED, settled_at=self._now)
            self._rows[self._rows.index(row)] = ended


def _waits(row: RoutedRow) -> bool:
    return row.status == Status.QUEUED and row.queue_position == QueuePosition.LATER_STEP
