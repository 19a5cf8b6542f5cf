"""From a doorbell to settled rows: claim, check again, begin, transmit, settle. No transaction and no row lock is open
while the wire is."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog

from notifier.channels import channel
from notifier.channels.base import Envelope, Message
from notifier.delivery import accounts, health, limits, store
from notifier.delivery.recheck import recheck
from notifier.delivery.retry import Again, Tries, decide
from notifier.delivery.settle import Outcome, settle
from notifier.delivery.store import Claimed
from notifier.errors import NotifierError
from notifier.models import ProviderAccount
from notifier.vocabulary import Lane, Misconfigured, Permanent, Reason, Sent, Status, Verdict
from tenants.models import Tenant

log = structlog.get_logger("notifier.delivery")

#: rows of one claim: large enough to amortise its 5 ms, small enough that accounts take turns several times a second
BATCH = 200
#: seconds after which an open circuit is tried again
CIRCUIT_SECONDS = 15.0
#: a task hands its queue on after this long, so that a deploy need not wait for an endless backlog
TASK_SECONDS = 20.0


def deliver(channel_name: str, lanes: Sequence[Lane]) -> bool:
    """Send everything that is due, account by account. True when it stopped with work left."""
    until = time.monotonic() + TASK_SECONDS
    while time.monotonic() < until:
        rows = store.claim(channel_name, lanes, BATCH)
        if not rows:
            return False
        _process(rows)
    return True


def _process(rows: list[Claimed]) -> None:
    account = ProviderAccount.objects.filter(pk=rows[0].account_id, enabled=True).first()
    if account is None:
        settle([_rerouted(row) for row in rows])
        return
    if health.weights([account.id])[account.id] == 0:
        store.hand_back(rows, CIRCUIT_SECONDS)
        return
    window = channel(account.channel).window
    for start in range(0, len(rows), window):
        _send_window(account, rows[start : start + window])


def _send_window(account: ProviderAccount, rows: list[Claimed]) -> None:
    grant = limits.take(account.id, accounts.rate_of(account), len(rows))
    store.hand_back(rows[grant.granted :], grant.wait)
    granted = rows[: grant.granted]
    refused = recheck(granted)
    settle(refused)
    kept_back = {o.row.id for o in refused}
    begun = store.begin([r for r in granted if r.id not in kept_back])
    for outcomes in transmit(account, begun):
        settle(outcomes)


def _rerouted(row: Claimed) -> Outcome:
    """The account was disabled or deleted after acceptance: take another, or say so."""
    tenant = Tenant.objects.get(pk=row.tenant_id)
    try:
        other = accounts.choose(tenant, row.channel, row.address.platform, row.mode)
    except NotifierError as error:
        return Outcome(row, Status.FAILED, Reason.NO_ACCOUNT, error.message, dead_letter=True)
    return Outcome(row, Status.QUEUED, detail="its account was disabled", account_id=other.id)


def transmit(account: ProviderAccount, rows: Sequence[Claimed]) -> Iterator[list[Outcome]]:
    """Write begun rows (of one account) to the wire; yield outcomes in batches as the answers come.

    Renews the leases of single rows that still wait; a shard's lease is its holder's.
    """
    messages: list[Message] = []
    sendable: list[Claimed] = []
    broken: list[Outcome] = []
    for row in rows:
        try:
            messages.append(message_of(row))
            sendable.append(row)
        except (NotifierError, KeyError, TypeError) as error:
            broken.append(Outcome(row, Status.FAILED, Reason.REJECTED, str(error)))
    if broken:
        yield broken
    if not sendable:
        return
    waiting = dict(enumerate(sendable))
    verdicts: list[Verdict] = []
    renewed = time.monotonic()
    others = _other_accounts(account, sendable[0])
    for answers in accounts.provider_for(account).send(messages, accounts.wire_for(account)):
        verdicts.extend(verdict for _, verdict in answers)
        yield [_outcome(waiting.pop(index), verdict, others) for index, verdict in answers]
        if time.monotonic() - renewed > 5 and waiting:
            renewed = time.monotonic()
            store.renew([r for r in waiting.values() if not r.in_shard])
    _learn(account, verdicts)


def message_of(row: Claimed) -> Message:
    """The channel's message of one ledger row."""
    expires_in = None
    if row.not_after is not None:
        expires_in = max(0, int((row.not_after - datetime.now(UTC)).total_seconds()))
    envelope = Envelope(
        delivery_id=row.id,
        tenant_id=row.tenant_id,
        recipient_id=row.recipient_id,
        address=row.address,
        collapse_key=str(row.id),
        category=row.category,
        expires_in=expires_in,
        urgent=row.lane != Lane.BULK,
    )
    return channel(row.channel).message(envelope, row.content)


def _other_accounts(account: ProviderAccount, row: Claimed) -> list[ProviderAccount]:
    tenant = Tenant.objects.get(pk=account.tenant_id)
    found = accounts.usable(tenant, account.channel, account.platform, row.mode)
    return [a for a in found if a.id != account.id]


def _outcome(row: Claimed, verdict: Verdict, others: Sequence[ProviderAccount]) -> Outcome:
    left = (row.not_after - datetime.now(UTC)).total_seconds() if row.not_after else None
    tries = Tries(
        made=row.attempt + 1,
        repeat_when_in_doubt=channel(row.channel).repeat_when_in_doubt,
        other_account=bool(others),
        seconds_left=left,
        dice=random.random(),  # noqa: S311
    )
    decision = decide(verdict, tries)
    if isinstance(decision, Again):
        account_id = others[0].id if decision.other_account and others else None
        return Outcome(row, Status.QUEUED, detail=decision.detail, wait=decision.wait, account_id=account_id)
    return Outcome(
        row,
        decision.status,
        decision.reason,
        decision.detail,
        decision.provider_ref,
        address_is_dead=decision.address_is_dead,
        dead_letter=decision.dead_letter,
    )


def _learn(account: ProviderAccount, verdicts: Sequence[Any]) -> None:
    """Move the account's health: an account that is wrong, or mostly fails, gets worse; one that works recovers."""
    if not verdicts:
        return
    if any(isinstance(v, Misconfigured) for v in verdicts):
        health.moved(account.id, -5)
        log.warning("account misconfigured", action="send", account=str(account.id), tenant=str(account.tenant_id))
        return
    good = sum(isinstance(v, Sent | Permanent) for v in verdicts)
    if good < len(verdicts) / 2:
        health.moved(account.id, -1)
    elif good == len(verdicts) and health.weights([account.id])[account.id] < health.FULL:
        health.moved(account.id, 1)
