"""One request between its decision and its storing: `accept` makes it, and routes, digests and caps change its rows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from notifier.delivery.accept_context import AcceptContext
from notifier.delivery.content import templates
from notifier.delivery.content.whole_messages import WholeMessages
from notifier.delivery.ledger.accepted_rows import DeliveryRow
from notifier.delivery.planning.plan import Rule
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.people import Person, SendRequest
from notifier.vocabulary.routes import Route
from notifier.vocabulary.status import IN_QUEUE, Lane, Status


@dataclass(slots=True)
class RequestKind:
    """The part of a Draft that requests share which name the same template, category and channels."""

    version_id: uuid.UUID
    compiled: templates.Compiled
    rule: Rule
    lane: Lane
    route: Route
    channels: tuple[str, ...]
    #: the channels that are planned together: of each step of the route by itself, whose order comes before preferred
    #: channels
    steps: tuple[tuple[str, ...], ...]
    reads_person: bool  #: a text may show what is known of the recipient
    #: (channel, the recipient's locale) -> the content
    contents: dict[tuple[str, str], WholeMessages] = field(default_factory=dict)

    def content_for(self, context: AcceptContext, name: str, locale: str) -> WholeMessages:
        """The content of a channel for a recipient with this locale."""
        content = self.contents.get((name, locale))
        if content is None:
            chosen = self.compiled.locale_for(name, locale, context.tenant.default_locale)
            content = self.contents[name, locale] = self.compiled.whole_messages(chosen, context.content_rules)
        return content


@dataclass(slots=True)
class Draft:
    """One accepted request before its rows are stored."""

    request: SendRequest
    person: Person
    kind: RequestKind
    notification_id: uuid.UUID = field(default_factory=new_id)
    rows: list[DeliveryRow] = field(default_factory=list)
    segments: dict[str, int] = field(default_factory=dict)  #: of channels that have segments
    send_at: datetime | None = None
    route_step: int = 1  #: the step that starts first: that of the first message that may leave

    @property
    def rule(self) -> Rule:
        return self.kind.rule

    @property
    def lane(self) -> Lane:
        return self.kind.lane

    @property
    def route(self) -> Route:
        return self.kind.route

    @property
    def queued_rows(self) -> list[DeliveryRow]:
        """The rows that join an ordering queue; those that wait for a digest or an earlier step join it later."""
        return [row for row in self.rows if row.status == Status.QUEUED and row.queue_position in IN_QUEUE]
