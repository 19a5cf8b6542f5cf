"""Let the accepted rows join their ordering queues: the queues are locked, and a request that would overfill one is
refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from django.conf import settings

from notifier.delivery.draft import Draft
from notifier.delivery.ledger import ordering
from notifier.errors import NotifierError, QueueFull
from notifier.vocabulary.status import QueuePosition


def join_queues(
    outcomes: list[Draft | NotifierError],
) -> tuple[Collection[ordering.OrderingQueue], list[Draft | NotifierError]]:
    """Lock the ordering queues, refuse requests that would overfill a queue, and hand out free turns."""
    keys = {row.queue_key for outcome in outcomes if isinstance(outcome, Draft) for row in outcome.queued_rows}
    locked = ordering.lock(keys, create_missing=True)
    return locked.values(), [_join(o, locked) if isinstance(o, Draft) else o for o in outcomes]


def _join(draft: Draft, locked: dict[ordering.Key, ordering.OrderingQueue]) -> Draft | NotifierError:
    joining = [(row, locked[row.queue_key]) for row in draft.queued_rows]
    added = Counter(queue.id for _, queue in joining)
    for _, queue in joining:
        if queue.unfinished + added[queue.id] > settings.ORDERING_QUEUE_LIMIT:
            return QueueFull(
                f"{settings.ORDERING_QUEUE_LIMIT} messages already wait for this recipient; "
                "try again when some have left.",
                field="recipient",
            )
    for row, queue in joining:
        queue.unfinished += 1
        if row.queue_position == QueuePosition.WAITING and not queue.turn_taken:
            row.queue_position, queue.turn_taken = QueuePosition.HAS_TURN, True
    return draft
