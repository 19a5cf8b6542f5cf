"""From a doorbell to rows on the wire: claim, check again, begin, launch. No transaction and no row lock is open while
the wire is."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings

from notifier.channels import channel
from notifier.delivery.accounts import health, rate_limits, registry
from notifier.delivery.dispatch import Dispatcher
from notifier.delivery.infra import bulk
from notifier.delivery.ledger import claims
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.settle import Outcome, settle
from notifier.delivery.recheck import load_policies, recheck
from notifier.delivery.wakeup.listener import NullListener, WakeupListener
from notifier.errors import NotifierError
from notifier.models import ProviderAccount
from notifier.vocabulary.status import Lane, Reason, Status
from tenants.models import Tenant

#: rows of one claim: large enough to amortise its 5 ms, small enough that accounts take turns several times a second
CLAIM_SIZE = 200
#: seconds after which an open circuit is tried again
CIRCUIT_SECONDS = 15.0
#: a task hands its queue on after this long, so that a deploy need not wait for an endless backlog
TASK_SECONDS = 20.0
#: and waits at most this much longer for answers that are open
DRAIN_SECONDS = 15.0
#: rows that their campaign holds back (it is paused, or over its speed limit) are looked at again after this long
HELD_SECONDS = 10.0
#: windows on the wire at once; each is a thread that waits
MAX_BATCHES = 64
#: of one account: of a provider that hangs, messages that come one by one would otherwise take all of them
ACCOUNT_BATCHES = 8
#: while answers are awaited, new work is looked for this often: soon after some was found, for a message that comes
#: during the flight of another waits for it, and seldom after long in vain
POLL_SECONDS = (0.01, 0.05)
#: and without a ring, in case one was lost
POLL_ANYWAY_SECONDS = 0.5


def deliver(channel_name: str, lanes: Sequence[Lane], listener: WakeupListener | None = None) -> bool:
    """Send everything that is due, account by account, and stay while `ear` hears of more. True when it stopped with
    work left."""
    bulk.plan_once()
    return _Shift(channel_name, lanes, listener or NullListener()).run()


class _Shift:
    """One task's work."""

    def __init__(self, channel_name: str, lanes: Sequence[Lane], listener: WakeupListener) -> None:
        self._channel, self._lanes, self._listener = channel_name, lanes, listener
        self._how = claims.ClaimOptions(begin=channel(channel_name).repeat_when_in_doubt)
        self._dispatcher, self._resting = Dispatcher(), PausedAccounts()
        self._until = time.monotonic() + TASK_SECONDS
        self._claimed_at = -math.inf
        #: somebody said that there is work
        self._told = True
        #: work was left behind that nobody will tell of: it waits for an answer, or for tokens
        self._left_behind = False

    def run(self) -> bool:
        soon, seldom = POLL_SECONDS
        look = soon
        try:
            while time.monotonic() < self._until + DRAIN_SECONDS:
                # past its time a task begins nothing for accounts with open answers, and ends when none are open; the
                # others go on meanwhile, or a provider that hangs would make them wait for it now
                late = time.monotonic() > self._until
                if late and not self._dispatcher.batches:
                    break
                found = self._look(late)
                if not found and not self._dispatcher.batches:
                    if self._left_behind:
                        time.sleep(seldom)
                    elif self._listener.wait():
                        self._told = True
                    else:
                        break
                look = soon if found else min(seldom, look * 1.5)
                self._dispatcher.settle(0.0 if found and self._told else look)
        finally:
            self._dispatcher.drain()
        return self._listener.leave() or time.monotonic() > self._until

    def _look(self, late: bool) -> bool:
        """Claim and launch what is due, if some may be; whether there was any."""
        dispatcher, now = self._dispatcher, time.monotonic()
        if dispatcher.batches >= MAX_BATCHES:
            return False
        self._told = self._told or self._listener.notified()
        if not (self._told or self._left_behind or now - self._claimed_at > POLL_ANYWAY_SECONDS):
            return False
        busy = dispatcher.busy(1 if late else ACCOUNT_BATCHES) + self._resting.accounts()
        self._claimed_at = now
        rows = self._claim(busy)
        _process(dispatcher, self._resting, rows, now)
        self._told = rows.more
        passed_over = busy or self._resting.accounts()
        self._left_behind = bool(passed_over) or dispatcher.batches >= MAX_BATCHES or dispatcher.rows >= CLAIM_SIZE
        return bool(rows)

    def _claim(self, busy: Sequence[uuid.UUID]) -> claims.Claims:
        rows = claims.claim(self._channel, self._lanes, CLAIM_SIZE, busy, self._how)
        if rows or not self._told or self._listener.disconnected:
            return rows
        return claims.claim(self._channel, self._lanes, CLAIM_SIZE, busy, replace(self._how, wait_for_locked=True))


class PausedAccounts:
    """Accounts whose token bucket is empty, until it has tokens again: claiming for them would only hand back."""

    def __init__(self) -> None:
        self._until: dict[uuid.UUID, float] = {}

    def rest(self, account_id: uuid.UUID, seconds: float) -> None:
        self._until[account_id] = time.monotonic() + seconds

    def accounts(self) -> list[uuid.UUID]:
        now = time.monotonic()
        self._until = {account: until for account, until in self._until.items() if until > now}
        return list(self._until)


def _process(dispatcher: Dispatcher, resting: PausedAccounts, rows: list[Claimed], claimed_at: float) -> None:
    if not rows:
        return
    account = registry.load_account(rows[0].account_id)
    if account is None or not account.enabled:
        _refuse(reroute(rows))
        return
    if health.read_weights([account.id])[account.id] == 0:
        claims.release(rows, CIRCUIT_SECONDS)
        return
    grant = rate_limits.take_for_account(account.id, registry.rate_of(account), len(rows))
    if grant.granted < len(rows):
        claims.release(rows[grant.granted :], grant.wait)
        resting.rest(account.id, grant.wait)
    window = channel(account.channel).window
    granted = _within_limits(rows[: grant.granted])
    for start in range(0, len(granted), window):
        _launch_window(dispatcher, account, granted[start : start + window], claimed_at)


def _within_limits(rows: list[Claimed]) -> list[Claimed]:
    """Rows that the speed limits of their campaigns let leave now; the others are handed back."""
    for campaign, found in load_policies(rows).items():
        if not found.rate_per_s:
            continue
        mine = [row for row in rows if row.campaign_id == campaign]
        late = mine[
            rate_limits.take_tokens(len(mine), rate_limits.campaign_limit(campaign, found.rate_per_s)).granted :
        ]
        claims.release(late, min(HELD_SECONDS, len(late) / found.rate_per_s))
        rows = _without(rows, late)
    return rows


def _launch_window(dispatcher: Dispatcher, account: ProviderAccount, rows: list[Claimed], claimed_at: float) -> None:
    ordered = load_policies(rows)
    holding = {campaign for campaign, found in ordered.items() if found.hold(account.channel)}
    paused = [row for row in rows if row.campaign_id in holding]
    rows = _without(rows, paused)
    refused = recheck(rows, ordered)
    dispatcher.launch(account, _begun(account, _without(rows, [outcome.row for outcome in refused]), claimed_at))
    # after the launch: a settlement may wait for the database, and nothing may stand between the look and the wire
    _refuse(refused)
    # not settled: a pause of a day must not write a day's history of every row
    claims.release(paused, HELD_SECONDS)


def _begun(account: ProviderAccount, rows: list[Claimed], claimed_at: float) -> list[Claimed]:
    """Those that may be written to the wire now."""
    if not channel(account.channel).repeat_when_in_doubt:
        return claims.begin(rows)
    # begun when they were claimed, and ours while the lease lasts: whatever came since may have taken its time
    late = time.monotonic() - claimed_at > settings.LEASE_SECONDS / 3
    return claims.renew(rows) if late else rows


def _refuse(outcomes: Sequence[Outcome]) -> None:
    """Write down what became of rows that nobody wrote to the wire: it was no attempt."""
    claims.unbegin([outcome.row for outcome in outcomes])
    settle(outcomes)


def _without(rows: list[Claimed], others: Sequence[Claimed]) -> list[Claimed]:
    others_ids = {row.id for row in others}
    return [row for row in rows if row.id not in others_ids] if others else rows


def reroute(rows: Sequence[Claimed]) -> list[Outcome]:
    """Their account was disabled or deleted after acceptance: take another, or say so."""
    tenants = Tenant.objects.in_bulk({row.tenant_id for row in rows})
    return [_rerouted(row, tenants[row.tenant_id]) for row in rows]


def _rerouted(row: Claimed, tenant: Tenant) -> Outcome:
    try:
        other = registry.choose_account(tenant, row.channel, row.address.platform, row.mode)
    except NotifierError as error:
        return Outcome(row, Status.FAILED, Reason.NO_ACCOUNT, error.message, dead_letter=True)
    return Outcome(row, Status.QUEUED, detail="its account was disabled", account_id=other.id)
