"""Asks providers' servers what became of messages, where no server calls us (Provider.polls_receipts), and of messages
in doubt (Provider.can_be_asked, `in_doubt`).

One run at a time takes one request of each account with due messages, the longest due first, and sends these requests
side by side: an account with many messages makes no other account wait. The events of an answer are stored as a parked
receipt, in the transaction that deletes what was asked, and `reading` applies them as it applies every receipt. Nothing
is lost with a worker: rows whose lease ends are asked about again, and asking twice changes nothing.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.db import connection, transaction

from notifier.channels.queues import RECEIPTS
from notifier.delivery.accounts import registry
from notifier.delivery.infra.db_retry import retry_while_db_down
from notifier.delivery.ledger.reports import awaited_receipts, receipt_rows
from notifier.delivery.ledger.reports.awaited_receipts import AwaitedMessage, ClaimedRow
from notifier.delivery.ledger.reports.receipt_rows import ParkedRow
from notifier.delivery.receipts import in_doubt, sealing
from notifier.delivery.receipts.events import cleaned_events
from notifier.delivery.wakeup import signal
from notifier.errors import NotifierError
from notifier.models import ProviderAccount, Receipt
from notifier.providers import Provider
from notifier.vocabulary.http import HttpClient, Request, Response
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.receipts import ReceiptEvent
from tenants.database.connections import own_session

log = structlog.get_logger("notifier.receipts")

#: a message without a receipt is given up then: Expo keeps receipts for 24 hours
LONGEST_WAIT = timedelta(hours=24)
#: seconds between two questions about a message
SHORTEST_PAUSE, LONGEST_PAUSE = 60.0, 7200.0
#: accounts that are asked side by side
TOGETHER = 50
#: a run begins no request after so many seconds, so that a server that does not answer holds one process of the queue
#: `batch` for these and a timeout at most
RUN_SECONDS = 10.0
#: seconds that a claim holds: longer than any provider's timeout
LEASE = 120.0


@dataclass(frozen=True)
class Inquiry:
    """One request about messages of one account; about messages in doubt there is one for each (`in_doubt`)."""

    account: ProviderAccount
    provider: Provider[Any]
    rows: Sequence[ClaimedRow]
    request: Request | None = None


def fetch_receipts(seconds: float = RUN_SECONDS) -> int:
    """Ask about everything that is due, until nothing is or `seconds` are over; returns how many events came. Does
    nothing while another process runs it."""
    events, failed, until = 0, set[uuid.UUID](), time.monotonic() + seconds
    with _only_run() as alone:
        while alone and time.monotonic() < until:
            due = [account_id for account_id in awaited_receipts.due_accounts() if account_id not in failed]
            for start in range(0, len(due), TOGETHER):
                if time.monotonic() < until:
                    events += _ask(due[start : start + TOGETHER], failed, until)
            if not due:
                break
    if events:
        signal.notify([RECEIPTS])
    return events


def wait_seconds(age: timedelta) -> float:
    """How long until a message is asked about again: a quarter of its age, from a minute to two hours. That makes about
    20 requests a day."""
    return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, age.total_seconds() / 4))


@contextmanager
def _only_run() -> Iterator[bool]:
    """Whether no other process is in this block. The lock belongs to the session: that of a killed worker is free."""
    with own_session():
        alone = _call_lock("pg_try_advisory_lock")
        try:
            yield alone
        finally:
            if alone:
                _call_lock("pg_advisory_unlock")


def _call_lock(function: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtext('notifier.fetch_receipts'))")
        return bool(cursor.fetchone()[0])


# ---- asking --------------------------------------------------------------------------------------------------------


def _ask(account_ids: Sequence[uuid.UUID], failed: set[uuid.UUID], until: float) -> int:
    """Ask once for each account; returns how many events came. Adds the accounts to `failed` that gave no receipts.
    Messages in doubt come last, because their accounts are asked one after the other."""
    by_client: defaultdict[HttpClient, list[tuple[Inquiry, Request]]] = defaultdict(list)
    in_doubts: list[Inquiry] = []
    events = 0
    for account_id in account_ids:
        if (inquiry := _inquiry(account_id, failed)) is None:
            continue
        if inquiry.request is None:
            in_doubts.append(inquiry)
        else:
            by_client[registry.http_client_for(inquiry.account)].append((inquiry, inquiry.request))
    for client, inquiries in by_client.items():
        for answers in client.exchange([request for _, request in inquiries]):
            for at, answer in answers:
                inquiry, _ = inquiries[at]
                try:
                    events += _store_answer(inquiry, _events_of(inquiry, answer))
                except _NoReceipts as why:
                    failed.add(inquiry.account.pk)
                    _postpone(inquiry.account.pk, inquiry.rows, str(why))
    return events + sum(_ask_about_doubt(inquiry, failed, until) for inquiry in in_doubts)


def _ask_about_doubt(inquiry: Inquiry, failed: set[uuid.UUID], until: float) -> int:
    """Ask about the account's messages in doubt, unless the run is over; returns how many events came."""
    if time.monotonic() >= until:
        failed.add(inquiry.account.pk)
        _postpone(inquiry.account.pk, inquiry.rows, "no time was left")
        return 0
    try:
        events = in_doubt.ask(inquiry.account, inquiry.provider, inquiry.rows)
    except DatabaseError:
        raise
    except Exception as error:
        # whatever goes wrong with one account must not stop the accounts behind it
        failed.add(inquiry.account.pk)
        _postpone(inquiry.account.pk, inquiry.rows, type(error).__name__)
        return 0
    return _store_answer(inquiry, events)


class _NoReceipts(Exception):
    """The server gave no receipts. The text says why, and quotes no content."""


def _inquiry(account_id: uuid.UUID, failed: set[uuid.UUID]) -> Inquiry | None:
    """The request about the account's due messages; None when there is nothing to ask."""
    account = registry.load_account(account_id)
    try:
        provider: Provider[Any] | None = registry.provider_for(account) if account else None
    except (NotifierError, ValueError) as error:
        failed.add(account_id)
        _postpone(account_id, awaited_receipts.claim(account_id, awaited_receipts.GROUP, LEASE), type(error).__name__)
        return None
    most = (in_doubt.MOST if provider.can_be_asked else provider.most_receipts) if provider else awaited_receipts.GROUP
    rows = awaited_receipts.claim(account_id, most, LEASE)
    if not rows:
        return None
    if account is not None and provider is not None and provider.can_be_asked:
        return Inquiry(account, provider, rows)
    if account is None or provider is None or not provider.polls_receipts:
        awaited_receipts.delete_claimed(rows)
        log.info("receipts of a deleted account not asked for", action="fetch", account=str(account_id), rows=len(rows))
        return None
    return Inquiry(account, provider, rows, provider.receipts_request([ref for row in rows for ref in row.refs]))


def _events_of(inquiry: Inquiry, answer: object) -> dict[uuid.UUID, ReceiptEvent]:
    """The event of each delivery that has one."""
    if not isinstance(answer, Response):
        raise _NoReceipts(getattr(answer, "detail", "no answer"))
    try:
        by_ref = inquiry.provider.fetched_receipts(answer)
    except ValueError as error:
        raise _NoReceipts(str(error)) from None
    except Exception as error:
        # whatever an answer makes of a parser must not stop the accounts behind it
        raise _NoReceipts(type(error).__name__) from None
    delivery_of = {
        ref: delivery for row in inquiry.rows for ref, delivery in zip(row.refs, row.delivery_ids, strict=True)
    }
    return {
        delivery_of[ref]: replace(event, delivery_id=delivery_of[ref])
        for ref, event in by_ref.items()
        if ref in delivery_of
    }


def _postpone(account_id: uuid.UUID, rows: Sequence[ClaimedRow], why: str) -> None:
    """Ask again later; give up what is too old."""
    log.warning("no receipts", action="fetch", account=str(account_id), why=why)
    now = datetime.now(UTC)
    for row in rows:
        if now - row.sent_at > _longest_wait(row):
            awaited_receipts.delete_claimed([row])
            _log_given_up(account_id, len(row.refs))
        else:
            awaited_receipts.postpone(row, wait_seconds(now - row.sent_at))


def _longest_wait(row: ClaimedRow) -> timedelta:
    """The age at which the messages of a row are given up."""
    return in_doubt.GIVE_UP if row.refs[0] == awaited_receipts.IN_DOUBT else LONGEST_WAIT


def _log_given_up(account_id: uuid.UUID, messages: int) -> None:
    log.warning("messages without a receipt given up", action="fetch", account=str(account_id), messages=messages)


# ---- storing -------------------------------------------------------------------------------------------------------


def _store_answer(inquiry: Inquiry, events: dict[uuid.UUID, ReceiptEvent]) -> int:
    """Store the events of the rows that this worker still holds, and what is left to ask; returns how many events."""
    return retry_while_db_down(lambda: _store_together(inquiry, events))


def _store_together(inquiry: Inquiry, events: dict[uuid.UUID, ReceiptEvent]) -> int:
    account, now = inquiry.account, datetime.now(UTC)
    with transaction.atomic():
        held = awaited_receipts.delete_claimed(inquiry.rows)
        rows = [row for row in inquiry.rows if row.id in held]
        own = [events[delivery_id] for row in rows for delivery_id in row.delivery_ids if delivery_id in events]
        _park(account, cleaned_events(own, now), now)
        unanswered = [message for row in rows for message in _unanswered(row, events, now)]
        awaited_receipts.store(unanswered)
    asked = sum(len(row.refs) for row in rows)
    if given_up := asked - len(own) - len(unanswered):
        _log_given_up(account.pk, given_up)
    log.info(
        "receipts fetched", action="fetch", tenant=str(account.tenant_id), account=str(account.pk), asked=asked,
        events=len(own),
    )  # fmt: skip
    return len(own)


def _park(account: ProviderAccount, events: Collection[ReceiptEvent], now: datetime) -> None:
    """Store the events as a receipt that is due at once; a worker of the queue `receipts` applies it."""
    if events:
        sealed = sealing.seal_events(account.tenant_id, events)
        state = Receipt.State.PARKED.value
        receipt_rows.park([ParkedRow(new_id(), account.tenant_id, account.pk, state, sealed, now, 0.0)])


def _unanswered(row: ClaimedRow, events: dict[uuid.UUID, ReceiptEvent], now: datetime) -> Iterator[AwaitedMessage]:
    """The row's messages without an event that may still get one. They are due on a whole minute, so that what is left
    of many small rows becomes one row."""
    age = now - row.sent_at
    if age > _longest_wait(row):
        return
    due_at = (now + timedelta(seconds=wait_seconds(age) + 60)).replace(second=0, microsecond=0)
    for delivery_id, ref in zip(row.delivery_ids, row.refs, strict=True):
        if delivery_id not in events:
            yield AwaitedMessage(row.tenant_id, row.account_id, delivery_id, ref, row.sent_at, due_at)
