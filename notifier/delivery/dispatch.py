"""Many windows on the wire at once, one thread for the database.

A provider that answers slowly must delay nobody else, so whoever sends does not wait for a window: a
thread of its own waits, knows no database, and brings the verdicts to the pump, which settles them in batches.
"""

from __future__ import annotations

import queue
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from django.db import InterfaceError, OperationalError

from notifier.channels import channel
from notifier.channels.base import Envelope, Message
from notifier.delivery.accounts import health, rate_limits, registry
from notifier.delivery.ledger import claims
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.retry import Again, Tries, decide
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.errors import NotifierError
from notifier.models import ProviderAccount
from notifier.providers import Provider
from notifier.vocabulary.http import HttpClient
from notifier.vocabulary.status import SILENT, Lane, Reason, Status
from notifier.vocabulary.verdicts import InDoubt, Misconfigured, Permanent, Sent, Throttled, Verdict
from tenants.models import Tenant

log = structlog.get_logger("notifier.delivery")

#: answers are gathered this long into one settlement
GATHER = 0.05
RENEW_SECONDS = 5.0
_NO_ANSWER = InDoubt("the provider broke off")


@dataclass
class InFlightBatch:
    """One window of one account on the wire."""

    account: ProviderAccount
    others: FallbackAccounts
    waiting: dict[int, Claimed]
    verdicts: list[Verdict] = field(default_factory=list)


#: None says that the flight has ended
_Completion = tuple[InFlightBatch, Sequence[tuple[int, Verdict]] | None]


class Dispatcher:
    """Launch begun rows, write down what comes back. For one task, used by its thread only. `write`: how."""

    def __init__(self, write: Callable[[Sequence[Outcome]], object] = settle) -> None:
        self._write = write
        self._completed: queue.SimpleQueue[_Completion] = queue.SimpleQueue()
        self._in_flight: list[InFlightBatch] = []
        self._renewed = time.monotonic()
        self._gathered: list[Outcome] = []
        self._write_by = 0.0

    @property
    def rows(self) -> int:
        """Rows on the wire."""
        return sum(len(batch.waiting) for batch in self._in_flight)

    @property
    def batches(self) -> int:
        return len(self._in_flight)

    def busy(self, batches: int) -> list[uuid.UUID]:
        """Accounts with at least so many flights."""
        return [a for a, n in Counter(f.account.id for f in self._in_flight).items() if n >= batches]

    def launch(self, account: ProviderAccount, rows: Sequence[Claimed]) -> None:
        """Write begun rows of one account to the wire; returns at once, except for a provider without a wire."""
        messages, sendable, broken = _messages(rows)
        self._write(broken)
        if not sendable:
            return
        batch = InFlightBatch(account, FallbackAccounts(account, sendable[0].mode), dict(enumerate(sendable)))
        self._in_flight.append(batch)
        try:
            provider, client = registry.provider_for(account), registry.http_client_for(account)
        except (NotifierError, ValueError) as error:
            # the type only: the text may quote the settings
            verdict = Misconfigured(f"the account's settings cannot be used ({type(error).__name__})")
            self._completed.put((batch, [(i, verdict) for i in batch.waiting]))
            self._completed.put((batch, None))
            return
        self._start(batch, provider, messages, client)

    def _start(
        self, batch: InFlightBatch, provider: Provider[Message], messages: Sequence[Message], client: HttpClient
    ) -> None:
        args = (batch, provider, messages, client)
        if provider.builtin:
            self._run(*args)
            return
        try:
            threading.Thread(target=self._run, args=args, daemon=True, name="flight").start()
        except RuntimeError:  # no more threads: a flight that never lands would be waited for without end
            self._run(*args)

    def settle(self, patience: float) -> None:
        """Take what lands within `patience` seconds; write it down once the first of it has waited for GATHER, or
        nothing is on the wire any more."""
        until = time.monotonic() + patience
        while self._in_flight:
            try:
                batch, answers = self._completed.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if not self._gathered:
                self._write_by = time.monotonic() + GATHER
            until = min(until, self._write_by)
            if answers is None:
                self._in_flight.remove(batch)
                batch.verdicts += [_NO_ANSWER] * len(batch.waiting)
                update_health(batch.account, batch.verdicts)
                self._gathered += [outcome_of(row, _NO_ANSWER, batch.others) for row in batch.waiting.values()]
                batch.waiting.clear()
                if not self._in_flight:
                    break
                continue
            verdicts = [verdict for _, verdict in answers]
            batch.verdicts += verdicts
            slow_down(batch.account, verdicts)
            self._gathered += [outcome_of(batch.waiting.pop(i), verdict, batch.others) for i, verdict in answers]
        if not self._in_flight or time.monotonic() >= self._write_by:
            outcomes, self._gathered = self._gathered, []
            self._write(outcomes)
        self._renew()

    def drain(self) -> None:
        """Wait for everything on the wire and write it down."""
        while self._in_flight:
            self.settle(1.0)

    def _run(
        self, batch: InFlightBatch, provider: Provider[Message], messages: Sequence[Message], client: HttpClient
    ) -> None:
        """In the flight's own thread: no database here."""
        try:
            for answers in provider.send(messages, client):
                self._completed.put((batch, answers))
        except Exception:
            # what it did not answer is in doubt, and the channel's rule for doubt decides
            log.exception("provider failed", action="send", account=str(batch.account.id))
        self._completed.put((batch, None))

    def _renew(self) -> None:
        """Lengthen the leases of single rows that still wait; a shard's lease is its holder's."""
        if self._in_flight and time.monotonic() - self._renewed > RENEW_SECONDS:
            self._renewed = time.monotonic()
            try:
                claims.renew([r for batch in self._in_flight for r in batch.waiting.values() if not r.in_shard])
            except (OperationalError, InterfaceError) as error:
                # answers are still to come, and settle waits for the database; no lease ends while it restarts
                log.warning("leases not renewed", action="renew", error=type(error).__name__)


def _messages(rows: Iterable[Claimed]) -> tuple[list[Message], list[Claimed], list[Outcome]]:
    """The channel's message of each row; a row whose content makes none is settled as rejected."""
    messages: list[Message] = []
    sendable: list[Claimed] = []
    broken: list[Outcome] = []
    for row in rows:
        try:
            messages.append(message_of(row))
            sendable.append(row)
        except (NotifierError, KeyError, TypeError) as error:
            broken.append(Outcome(row, Status.FAILED, Reason.REJECTED, str(error)))
    return messages, sendable, broken


def message_of(row: Claimed) -> Message:
    """The channel's message of one ledger row."""
    return channel(row.channel).message(envelope_of(row), row.content)


def envelope_of(row: Claimed) -> Envelope:
    """What a ledger row's message carries besides its content. The collapse key has no hyphens, so that it is short
    enough for Web Push's Topic (32 characters)."""
    return Envelope(
        delivery_id=row.id,
        tenant_id=row.tenant_id,
        recipient_id=row.recipient_id,
        address=row.address,
        collapse_key=row.id.hex,
        category=row.category,
        expires_in=expires_in(row.not_after),
        urgent=row.lane != Lane.BULK,
        rehearsal=row.mode == SILENT,
    )


def expires_in(not_after: datetime | None) -> int | None:
    """Seconds until a message is stale; None: never."""
    return None if not_after is None else max(0, int((not_after - datetime.now(UTC)).total_seconds()))


class FallbackAccounts:
    """The accounts that could send instead of one: looked for when a message needs another, as most do not."""

    def __init__(self, account: ProviderAccount, mode: str) -> None:
        self._account, self._mode = account, mode
        self._found: list[ProviderAccount] | None = None

    def found(self) -> list[ProviderAccount]:
        if self._found is None:
            try:
                self._found = self._look()
            except (OperationalError, InterfaceError):
                return []  # the answers must be noted, whatever the database does; the next attempt looks again
        return self._found

    def _look(self) -> list[ProviderAccount]:
        account = self._account
        tenant = Tenant.objects.get(pk=account.tenant_id)
        found = registry.usable_accounts(tenant, account.channel, account.platform, self._mode)
        return [a for a in found if a.id != account.id]


def outcome_of(row: Claimed, verdict: Verdict, instead: FallbackAccounts) -> Outcome:
    """What a provider's verdict means for a begun row."""
    others = [] if isinstance(verdict, Sent) else instead.found()
    left = (row.not_after - datetime.now(UTC)).total_seconds() if row.not_after else None
    tries = Tries(
        made=row.attempt + 1,
        repeat_when_in_doubt=channel(row.channel).repeat_when_in_doubt,
        other_account=bool(others),
        seconds_left=left,
        dice=random.random(),  # noqa: S311
    )
    decision = decide(verdict, tries)
    disconnected = isinstance(verdict, InDoubt) and verdict.disconnected
    if isinstance(decision, Again):
        account_id = others[0].id if decision.other_account and others else None
        reason = Reason.IN_DOUBT if decision.in_doubt else ""
        return Outcome(
            row,
            Status.QUEUED,
            reason,
            decision.detail,
            wait=decision.wait,
            account_id=account_id,
            disconnected=disconnected,
        )
    return Outcome(
        row,
        decision.status,
        decision.reason,
        decision.detail,
        decision.provider_ref,
        address_is_dead=decision.address_is_dead,
        dead_as_of=decision.dead_as_of,
        dead_letter=decision.dead_letter,
        disconnected=disconnected,
    )


def slow_down(account: ProviderAccount, verdicts: Iterable[Verdict]) -> None:
    """What the provider said about too many messages, to everybody who sends for this account."""
    if refused := [verdict.after or 0.0 for verdict in verdicts if isinstance(verdict, Throttled)]:
        rate_limits.record_throttling(account.id, max(refused), len(refused))


def update_health(account: ProviderAccount, verdicts: Sequence[Verdict], taken: int = 0) -> None:
    """Move the account's health: one that is wrong or mostly fails gets worse, one that works recovers. `taken`: how
    many more were sent, without a verdict each."""
    if any(isinstance(v, Misconfigured) for v in verdicts):
        health.move(account.id, -5)
        log.warning("account misconfigured", action="send", account=str(account.id), tenant=str(account.tenant_id))
        return
    good, judged = taken + sum(isinstance(v, Sent | Permanent) for v in verdicts), taken + len(verdicts)
    if good < judged / 2:
        health.move(account.id, -1)
    elif good == judged and health.read_weights([account.id])[account.id] < health.FULL:
        health.move(account.id, 1)
