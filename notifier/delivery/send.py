"""From a doorbell to rows on the wire: claim, check again, begin, launch. No transaction and no row lock is open while
the wire is."""

from __future__ import annotations

import time
from collections.abc import Sequence

from notifier.channels import channel
from notifier.delivery import accounts, health, limits, store
from notifier.delivery.pump import Pump
from notifier.delivery.recheck import recheck
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
#: windows on the wire at once; each is a thread that waits
MAX_FLIGHTS = 64
#: of one account: of a provider that hangs, messages that come one by one would otherwise take all of them
ACCOUNT_FLIGHTS = 8
#: while slow answers are awaited, new work is looked for this often
LOOK_SECONDS = 0.05


def deliver(channel_name: str, lanes: Sequence[Lane]) -> bool:
    """Send everything that is due, account by account. True when it stopped with work left."""
    pump = Pump()
    until = time.monotonic() + TASK_SECONDS
    try:
        while time.monotonic() < until:
            full = pump.flights >= MAX_FLIGHTS
            rows = [] if full else store.claim(channel_name, lanes, BATCH, pump.busy(ACCOUNT_FLIGHTS))
            _process(pump, rows)
            if not rows and not pump.flights:
                return False
            pump.settle(0.0 if rows else LOOK_SECONDS)
    finally:
        pump.drain()
    return True


def _process(pump: Pump, rows: list[Claimed]) -> None:
    if not rows:
        return
    account = ProviderAccount.objects.filter(pk=rows[0].account_id, enabled=True).first()
    if account is None:
        settle([rerouted(row) for row in rows])
        return
    if health.weights([account.id])[account.id] == 0:
        store.hand_back(rows, CIRCUIT_SECONDS)
        return
    window = channel(account.channel).window
    for start in range(0, len(rows), window):
        _launch_window(pump, account, rows[start : start + window])


def _launch_window(pump: Pump, account: ProviderAccount, rows: list[Claimed]) -> None:
    grant = limits.take(account.id, accounts.rate_of(account), len(rows))
    store.hand_back(rows[grant.granted :], grant.wait)
    granted = rows[: grant.granted]
    refused = recheck(granted)
    settle(refused)
    kept_back = {o.row.id for o in refused}
    pump.launch(account, store.begin([r for r in granted if r.id not in kept_back]))


def rerouted(row: Claimed) -> Outcome:
    """The account was disabled or deleted after acceptance: take another, or say so."""
    tenant = Tenant.objects.get(pk=row.tenant_id)
    try:
        other = accounts.choose(tenant, row.channel, row.address.platform, row.mode)
    except NotifierError as error:
        return Outcome(row, Status.FAILED, Reason.NO_ACCOUNT, error.message, dead_letter=True)
    return Outcome(row, Status.QUEUED, detail="its account was disabled", account_id=other.id)
