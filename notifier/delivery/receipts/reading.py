"""Reads stored calls in a worker: parses them, applies their events, parks what comes too early.

A claim takes rows of one account, and accounts take turns, so that one tenant's flood makes no other tenant wait. A
call that cannot be read is kept for a person and blocks no other call.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction

from notifier import failpoints
from notifier.delivery.accounts import registry
from notifier.delivery.infra import bulk
from notifier.delivery.infra.db_retry import retry_while_db_down
from notifier.delivery.ledger.reports import receipt_rows
from notifier.delivery.ledger.reports.receipt_rows import ClaimedReceipt, ClaimLimits, ParkedRow
from notifier.delivery.receipts import sealing
from notifier.delivery.receipts.apply import Source, apply_events
from notifier.delivery.receipts.events import cleaned_events
from notifier.delivery.wakeup.listener import NullListener, WakeupListener
from notifier.errors import Forged
from notifier.models import ProviderAccount, Receipt
from notifier.providers import Provider
from notifier.tracing import spans, switch
from notifier.values.text import cleaned
from notifier.vocabulary.ids import new_id
from notifier.vocabulary.receipts import ReceiptEvent

log = structlog.get_logger("notifier.receipts")

#: a batch of a mail service has a thousand events in half a megabyte
LIMITS = ClaimLimits(rows=500, size=2 * 1024 * 1024, lease=60.0)
#: events of one parked row
PARKED_EVENTS = 1_000
#: a row whose reading ended so many workers, or failed so often because a server was away, is kept for a person
MAX_ATTEMPTS = 5
#: events of deliveries that are not known or not final by then are dropped
LONGEST_WAIT = timedelta(hours=24)
#: unreadable calls are kept for so long
KEPT_UNREADABLE = timedelta(days=30)
_AWAY_SECONDS = 30.0

Events = list[tuple[ClaimedReceipt, list[ReceiptEvent]]]


def read_receipts(listener: WakeupListener | None = None, seconds: float = 20.0) -> bool:
    """Read everything that is due, and stay while `listener` gets wakeups. True when the task stopped with work
    left."""
    bulk.plan_once()
    wakeups, until = listener or NullListener(), time.monotonic() + seconds
    while time.monotonic() < until:
        if not read_due() and not (listener and wakeups.wait()):
            break
    return wakeups.leave() or time.monotonic() > until


def read_due() -> bool:
    """Read one claim of each account that has due rows; returns whether there were any."""
    return sum(map(read_account, receipt_rows.due_accounts())) > 0


def read_account(account_id: uuid.UUID) -> bool:
    """Read one claim of the account's rows; returns whether there were any."""
    rows = receipt_rows.claim(account_id, LIMITS)
    if not rows:
        return False
    account = registry.load_account(account_id)
    if account is None:
        log.info("receipts of a deleted account dropped", action="receipts", account=str(account_id), rows=len(rows))
        receipt_rows.delete_claimed(rows)
        return True
    events = [(row, of_row) for row in rows if (of_row := _read(account, row)) is not None]
    failpoints.reach("receipts.before-apply")
    _apply(account, events)
    return True


def wait_seconds(age: timedelta) -> float:
    """How long an event waits until it is tried again: a quarter of its age, from a second to a quarter of an hour."""
    return min(900.0, max(1.0, age.total_seconds() / 4))


# ---- reading one row -----------------------------------------------------------------------------------------------


def _read(account: ProviderAccount, row: ClaimedReceipt) -> list[ReceiptEvent] | None:
    """The events of the row; None when the row was dealt with otherwise."""
    if row.attempts > MAX_ATTEMPTS:
        _keep_unreadable(account, row, "Its reading ended several workers, or a server was away each time.")
        return None
    try:
        if row.state == Receipt.State.PARKED:
            return sealing.unseal_events(row.tenant_id, row.sealed)
        call = sealing.unseal_call(row.tenant_id, row.sealed)
        provider: Provider[Any] = registry.provider_for(account)
        return cleaned_events(provider.receipts(call, registry.http_client_for(account)), row.received_at)
    except Forged:
        log.warning("forged receipt dropped", action="receipts", account=str(account.pk))
        receipt_rows.delete_claimed([row])
    except (OSError, OperationalError, InterfaceError) as error:
        # a server that the provider needs, or the database, is away
        log.warning("receipt not read yet", action="receipts", account=str(account.pk), error=type(error).__name__)
        receipt_rows.postpone([row], _AWAY_SECONDS)
    except Exception as error:
        # whatever a body makes of a parser must not stop the rows behind it
        _keep_unreadable(account, row, f"{type(error).__name__}: {error}")
    return None


def _keep_unreadable(account: ProviderAccount, row: ClaimedReceipt, error: str) -> None:
    # the log names no content, which the text of an error may quote
    log.error("receipt unreadable", action="receipts", account=str(account.pk), receipt=str(row.id))
    receipt_rows.mark_unreadable(row, cleaned(error))


# ---- applying ------------------------------------------------------------------------------------------------------


def _apply(account: ProviderAccount, events: Events) -> None:
    """Apply the events of all rows in one transaction; when that fails, row by row, so that the failing row alone is
    kept for a person."""
    if not events:
        return
    try:
        retry_while_db_down(lambda: _apply_together(account, events))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        if len(events) == 1:
            log.exception("receipt not applied", action="receipts", account=str(account.pk))
            _keep_unreadable(account, events[0][0], type(error).__name__)
            return
        for one in events:
            _apply(account, [one])


def _apply_together(account: ProviderAccount, events: Events) -> None:
    began = switch.clock()
    with transaction.atomic():
        deleted_ids = receipt_rows.delete_claimed([row for row, _ in events])
        origin = {id(event): row for row, of_row in events if row.id in deleted_ids for event in of_row}
        every_event = [event for row, of_row in events if row.id in deleted_ids for event in of_row]
        applied = apply_events(Source(account.tenant_id, account.channel, account.pk), every_event)
        _park(account, [(origin[id(event)], event) for event in applied.waiting])
        failpoints.reach("receipts.before-commit")
    if began:
        attributes: dict[str, str | int] = {"account.id": str(account.pk), "events": len(every_event)}
        spans.record("receipt", applied.traces, began, attributes)
    log.info(
        "receipts read",
        action="receipts",
        tenant=str(account.tenant_id),
        account=str(account.pk),
        calls=len(deleted_ids),
        events=len(every_event),
        moved=applied.moved,
        waiting=len(applied.waiting),
    )


def _park(account: ProviderAccount, waiting: Sequence[tuple[ClaimedReceipt, ReceiptEvent]]) -> None:
    """Store the events that wait: those of new calls together, those of a parked row as a row again, with its age."""
    now = datetime.now(UTC)
    by_time: defaultdict[datetime, list[ReceiptEvent]] = defaultdict(list)
    came_now = [row.received_at for row, _ in waiting if row.state == Receipt.State.NEW]
    for row, event in waiting:
        by_time[min(came_now) if row.state == Receipt.State.NEW else row.received_at].append(event)
    rows = []
    for received_at, events in by_time.items():
        if now - received_at > LONGEST_WAIT:
            kinds = Counter(str(event.kind) for event in events)
            log.warning("receipts of no delivery dropped", action="receipts", account=str(account.pk), **kinds)
            continue
        wait = wait_seconds(now - received_at)
        for start in range(0, len(events), PARKED_EVENTS):
            sealed = sealing.seal_events(account.tenant_id, events[start : start + PARKED_EVENTS])
            state = Receipt.State.PARKED.value
            rows.append(ParkedRow(new_id(), account.tenant_id, account.pk, state, sealed, received_at, wait))
    receipt_rows.park(rows)


def forget_unreadable() -> int:
    """Delete what no worker could read and no person looked at in time; returns how many."""
    return receipt_rows.forget_unreadable(datetime.now(UTC) - KEPT_UNREADABLE)
