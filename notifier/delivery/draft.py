"""One request between its decision and its storing: `accept` makes it, and routes, digests and caps change its rows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from notifier.delivery.ledger.accepted_rows import DeliveryRow
from notifier.delivery.planning.plan import Rule
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Person, SendRequest
from notifier.vocabulary.routes import Route
from notifier.vocabulary.status import IN_QUEUE, Lane, Status


@dataclass
class Draft:
    """One accepted request before its rows are stored."""

    request: SendRequest
    person: Person
    version_id: uuid.UUID
    rule: Rule
    lane: Lane
    notification_id: uuid.UUID = field(default_factory=new_id)
    rows: list[DeliveryRow] = field(default_factory=list)
    segments: dict[str, int] = field(default_factory=dict)  #: of channels that have segments
    send_at: datetime | None = None
    route: Route = ()
    route_step: int = 1  #: the step that starts first: that of the first message that may leave

    @property
    def queued_rows(self) -> list[DeliveryRow]:
        """The rows that join an ordering queue; those that wait for a digest or an earlier step join it later."""
        return [row for row in self.rows if row.status == Status.QUEUED and row.queue_position in IN_QUEUE]
