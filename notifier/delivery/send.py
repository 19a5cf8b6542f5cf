"""From a doorbell to rows on the wire: claim, check again, begin, launch. No transaction and no row lock is open while
the wire is."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from django.conf import settings

from notifier.channels import channel
from notifier.delivery import accounts, bulk, health, limits, store
from notifier.delivery.pump import Pump
from notifier.delivery.recheck import orders, recheck
from notifier.delivery.settle import Outcome, settle
from notifier.delivery.store import Claimed
from notifier.errors import NotifierError
from notifier.models import ProviderAccount
from notifier.vocabulary import Lane, Reason, Status
from tenants.models import Tenant

#: rows of one claim: large enough to amortise its 5 ms, small enough that accounts take turns several times a second
BATCH = 200
#: seconds after which an open circuit is tried again
CIRCUIT_SECONDS = 15.0
#: a task hands its queue on after this long, so that a deploy need not wait for an endless backlog
TASK_SECONDS = 20.0
#: and waits at most this much longer for answers that are open
DRAIN_SECONDS = 15.0
#: rows that their campaign holds back (it is paused, or over its speed limit) are looked at again after this long
HELD_SECONDS = 10.0
#: windows on the wire at once; each is a thread that waits
MAX_FLIGHTS = 64
#: of one account: of a provider that hangs, messages that come one by one would otherwise take all of them
ACCOUNT_FLIGHTS = 8
#: while answers are awaited, new work is looked for this often: soon after some was found, for a message that comes
#: during the flight of another waits for it, and seldom after long in vain
LOOK_SECONDS = (0.01, 0.05)


def deliver(channel_name: str, lanes: Sequence[Lane]) -> bool:
    """Send everything that is due, account by account. True when it stopped with work left."""
    bulk.plan_once()
    pump, resting = Pump(), Resting()
    begin = channel(channel_name).repeat_when_in_doubt
    soon, seldom = LOOK_SECONDS
    look, until = soon, time.monotonic() + TASK_SECONDS
    try:
        while time.monotonic() < until + DRAIN_SECONDS:
            # past its time a task begins nothing for accounts with open answers, and ends when none are open; the
            # others go on meanwhile, or a provider that hangs would make them wait for it now
            late = time.monotonic() > until
            if late and not pump.flights:
                break
            busy = pump.busy(1 if late else ACCOUNT_FLIGHTS) + resting.accounts()
            claimed_at = time.monotonic()
            full = pump.flights >= MAX_FLIGHTS
            rows = [] if full else store.claim(channel_name, lanes, BATCH, busy, begin=begin)
            _process(pump, resting, rows, claimed_at)
            if not rows and not pump.flights:
                if not resting.accounts():
                    return False
                time.sleep(seldom)
            look = soon if rows else min(seldom, look * 1.5)
            pump.settle(0.0 if rows else look)
    finally:
        pump.drain()
    return True


class Resting:
    """Accounts whose token bucket is empty, until it has tokens again: claiming for them would only hand back."""

    def __init__(self) -> None:
        self._until: dict[uuid.UUID, float] = {}

    def rest(self, account_id: uuid.UUID, seconds: float) -> None:
        self._until[account_id] = time.monotonic() + seconds

    def accounts(self) -> list[uuid.UUID]:
        now = time.monotonic()
        self._until = {account: until for account, until in self._until.items() if until > now}
        return list(self._until)


def _process(pump: Pump, resting: Resting, rows: list[Claimed], claimed_at: float) -> None:
    if not rows:
        return
    account = accounts.by_id(rows[0].account_id)
    if account is None or not account.enabled:
        _refuse(rerouted(rows))
        return
    if health.weights([account.id])[account.id] == 0:
        store.hand_back(rows, CIRCUIT_SECONDS)
        return
    grant = limits.take(account.id, accounts.rate_of(account), len(rows))
    if grant.granted < len(rows):
        store.hand_back(rows[grant.granted :], grant.wait)
        resting.rest(account.id, grant.wait)
    window = channel(account.channel).window
    granted = _within_limits(rows[: grant.granted])
    for start in range(0, len(granted), window):
        _launch_window(pump, account, granted[start : start + window], claimed_at)


def _within_limits(rows: list[Claimed]) -> list[Claimed]:
    """Rows that the speed limits of their campaigns let leave now; the others are handed back."""
    for campaign, found in orders(rows).items():
        if not found.rate_per_s:
            continue
        mine = [row for row in rows if row.campaign_id == campaign]
        late = mine[limits.take_of(len(mine), limits.of_campaign(campaign, found.rate_per_s)).granted :]
        store.hand_back(late, min(HELD_SECONDS, len(late) / found.rate_per_s))
        rows = _without(rows, late)
    return rows


def _launch_window(pump: Pump, account: ProviderAccount, rows: list[Claimed], claimed_at: float) -> None:
    ordered = orders(rows)
    holding = {campaign for campaign, found in ordered.items() if found.paused}
    paused = [row for row in rows if row.campaign_id in holding]
    rows = _without(rows, paused)
    refused = recheck(rows, ordered)
    pump.launch(account, _begun(account, _without(rows, [outcome.row for outcome in refused]), claimed_at))
    # after the launch: a settlement may wait for the database, and nothing may stand between the look and the wire
    _refuse(refused)
    # not settled: a pause of a day must not write a day's history of every row
    store.hand_back(paused, HELD_SECONDS)


def _begun(account: ProviderAccount, rows: list[Claimed], claimed_at: float) -> list[Claimed]:
    """Those that may be written to the wire now."""
    if not channel(account.channel).repeat_when_in_doubt:
        return store.begin(rows)
    # begun when they were claimed, and ours while the lease lasts: whatever came since may have taken its time
    late = time.monotonic() - claimed_at > settings.LEASE_SECONDS / 3
    return store.renew(rows) if late else rows


def _refuse(outcomes: Sequence[Outcome]) -> None:
    """Write down what became of rows that nobody wrote to the wire: it was no attempt."""
    store.take_back([outcome.row for outcome in outcomes])
    settle(outcomes)


def _without(rows: list[Claimed], others: Sequence[Claimed]) -> list[Claimed]:
    others_ids = {row.id for row in others}
    return [row for row in rows if row.id not in others_ids] if others else rows


def rerouted(rows: Sequence[Claimed]) -> list[Outcome]:
    """Their account was disabled or deleted after acceptance: take another, or say so."""
    tenants = Tenant.objects.in_bulk({row.tenant_id for row in rows})
    return [_rerouted(row, tenants[row.tenant_id]) for row in rows]


def _rerouted(row: Claimed, tenant: Tenant) -> Outcome:
    try:
        other = accounts.choose(tenant, row.channel, row.address.platform, row.mode)
    except NotifierError as error:
        return Outcome(row, Status.FAILED, Reason.NO_ACCOUNT, error.message, dead_letter=True)
    return Outcome(row, Status.QUEUED, detail="its account was disabled", account_id=other.id)
