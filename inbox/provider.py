"""The in-app provider: its far end is our own table, so sending is storing and a taken message has arrived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog
from django.db import InterfaceError, OperationalError

from inbox.store import complaint, store
from notifier.channels.in_app import InAppMessage
from notifier.delivery.infra.db_retry import retry_while_db_down
from notifier.providers.base import Answers, Provider
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.verdicts import Permanent, Sent, Temporary, Verdict

log = structlog.get_logger("inbox")


class InApp(Provider[InAppMessage]):
    """Stores messages. A repeat of a delivery stores nothing: the delivery's id is the message's id."""

    name = "in_app"
    channel = "in_app"
    builtin = True

    def send(self, messages: Sequence[InAppMessage], client: HttpClient) -> Iterator[Answers]:
        """Answer all at once: the batch is one transaction."""
        complaints = {i: Permanent(why) for i, m in enumerate(messages) if (why := complaint(m))}
        storable = [i for i in range(len(messages)) if i not in complaints]
        verdicts = self._store([messages[i] for i in storable])
        yield sorted([*complaints.items(), *zip(storable, verdicts, strict=True)])

    def _store(self, messages: Sequence[InAppMessage]) -> list[Verdict]:
        try:
            # a lost connection, a deadlock: even if it was committed, a repeat is harmless. Tried again here, because
            # an answer would count as the far end's failure, and a campaign halts itself for those
            gone = retry_while_db_down(lambda: store(messages))
        except (OperationalError, InterfaceError) as error:
            log.warning("inbox store failed", action="inbox.store", error=type(error).__name__)
            return [Temporary("the inbox could not be written")] * len(messages)
        there = Sent(final=True)
        return [Permanent("the recipient no longer exists") if i in gone else there for i in range(len(messages))]
