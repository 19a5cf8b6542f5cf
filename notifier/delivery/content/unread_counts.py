"""How many unread messages each recipient's inbox has, for parts whose text is UNREAD (the badge of a push).

The inbox is an app above the engine: it registers its counter in `AppConfig.ready`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence

from notifier.delivery.infra.db_retry import retry_while_db_down

#: tenant, recipients -> the unread messages of each recipient that has any
UnreadCounter = Callable[[uuid.UUID, Sequence[uuid.UUID]], Mapping[uuid.UUID, int]]
_counters: list[UnreadCounter] = []


def register_unread_counter(counter: UnreadCounter) -> None:
    _counters[:] = [counter]


def unread_counts(tenant_id: uuid.UUID, recipients: Sequence[uuid.UUID]) -> Sequence[int]:
    """The unread messages of each recipient now, in their order: one query. 0 for each where no inbox is installed.
    Waits while the database restarts: the messages have begun."""
    if not _counters or not recipients:
        return [0] * len(recipients)
    counts = retry_while_db_down(lambda: _counters[0](tenant_id, recipients))
    return [counts.get(recipient_id, 0) for recipient_id in recipients]
