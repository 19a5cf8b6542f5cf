"""The in-app provider: it sends a message by storing it in the inbox, and a stored message counts as delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog
from django.db import InterfaceError, OperationalError

from inbox.store.insert import store, unstorable_reason
from notifier.channels.in_app import InAppMessage
from notifier.delivery.infra.db_retry import retry_while_db_down
from notifier.providers.base import Answers, Provider
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.verdicts import Permanent, Sent, Temporary, Verdict

log = structlog.get_logger("inbox")


class InApp(Provider[InAppMessage]):
    """Stores messages. The delivery's id is the message's id, so a repeated delivery stores nothing."""

    name = "in_app"
    channel = "in_app"
    builtin = True

    def send(self, messages: Sequence[InAppMessage], client: HttpClient) -> Iterator[Answers]:
        """All verdicts in one batch, because the messages are stored in one transaction."""
        refused = {i: Permanent(reason) for i, m in enumerate(messages) if (reason := unstorable_reason(m))}
        storable = [i for i in range(len(messages)) if i not in refused]
        verdicts = self._store([messages[i] for i in storable])
        yield sorted([*refused.items(), *zip(storable, verdicts, strict=True)])

    def _store(self, messages: Sequence[InAppMessage]) -> list[Verdict]:
        try:
            # Store again after a lost connection or a deadlock: a repeat stores nothing twice. A failure verdict
            # would count against the provider instead, and might halt a campaign
            missing = retry_while_db_down(lambda: store(messages))
        except (OperationalError, InterfaceError) as error:
            log.warning("inbox store failed", action="inbox.store", error=type(error).__name__)
            return [Temporary("the inbox could not be written")] * len(messages)
        stored = Sent(final=True)
        return [Permanent("the recipient no longer exists") if i in missing else stored for i in range(len(messages))]
