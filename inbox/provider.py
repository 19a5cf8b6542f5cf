"""The in-app provider: it sends a message by storing it in the inbox, and a stored message counts as delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import structlog
from django.db import InterfaceError, OperationalError, connection

from inbox.store.insert import store, unstorable_reason
from inbox.store.insert_columns import CheckOutdated, split, store_columns, unstorable_messages
from notifier.channels.in_app import InAppMessage
from notifier.delivery.infra.db_retry import retry_while_db_down
from notifier.providers.base import Answers, Provider
from notifier.vocabulary.columns import MessageColumns
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.verdicts import Permanent, Sent, Temporary, Verdict, Withdrawn

log = structlog.get_logger("inbox")

_GONE = Permanent("the recipient no longer exists")
_AWAY = Temporary("the inbox could not be written")


class InApp(Provider[InAppMessage]):
    """Stores messages. The delivery's id is the message's id, so a repeated delivery stores nothing."""

    name = "in_app"
    channel = "in_app"
    builtin = True
    column_batch = 2_000

    def send(self, messages: Sequence[InAppMessage], client: HttpClient) -> Iterator[Answers]:
        """All verdicts in one batch, because the messages are stored in one transaction."""
        refused = {i: Permanent(reason) for i, m in enumerate(messages) if (reason := unstorable_reason(m))}
        storable = [i for i in range(len(messages)) if i not in refused]
        verdicts = self._store([messages[i] for i in storable])
        yield sorted([*refused.items(), *zip(storable, verdicts, strict=True)])

    def send_columns(self, columns: MessageColumns, until: float) -> Mapping[int, Verdict]:
        """Store messages of a campaign in one transaction, long ones in several; refuse those that cannot be stored."""
        refused: dict[int, Verdict] = {i: Permanent(why) for i, why in unstorable_messages(columns).items()}
        if not refused:
            return self._store_parts(columns, until)
        storable = [i for i in range(len(columns)) if i not in refused]
        verdicts = self._store_parts(columns.only(storable), until) if storable else {}
        return {**refused, **{storable[at]: verdict for at, verdict in verdicts.items()}}

    def _store_parts(self, columns: MessageColumns, until: float) -> Mapping[int, Verdict]:
        parts = split(columns)
        if len(parts) == 1:
            return self._store_columns(columns, until)
        verdicts: dict[int, Verdict] = {}
        for rows in parts:
            verdicts |= {rows[at]: v for at, v in self._store_columns(columns.only(rows), until).items()}
        return verdicts

    def _store_columns(self, columns: MessageColumns, until: float) -> Mapping[int, Verdict]:
        """No attempt follows here when the database fails: 2,000 messages would leave by a check of minutes ago."""
        try:
            return dict.fromkeys(store_columns(columns, until), _GONE)
        except CheckOutdated:
            return dict.fromkeys(range(len(columns)), Withdrawn())
        except (OperationalError, InterfaceError) as error:
            log.warning("inbox store failed", action="inbox.store", error=type(error).__name__)
            if not connection.in_atomic_block:
                connection.close()
            return dict.fromkeys(range(len(columns)), _AWAY)

    def _store(self, messages: Sequence[InAppMessage]) -> list[Verdict]:
        try:
            # Store again after a lost connection or a deadlock: a repeat stores nothing twice. A failure verdict
            # would count against the provider instead, and might halt a campaign
            missing = retry_while_db_down(lambda: store(messages))
        except (OperationalError, InterfaceError) as error:
            log.warning("inbox store failed", action="inbox.store", error=type(error).__name__)
            return [_AWAY] * len(messages)
        stored = Sent(final=True)
        return [_GONE if i in missing else stored for i in range(len(messages))]
