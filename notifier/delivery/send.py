"""From a wakeup to messages in flight: claim, check again, begin, send. No transaction and no row lock is open while
messages are in flight."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings

from notifier import failpoints
from notifier.channels import channel
from notifier.channels.queues import queue_of
from notifier.delivery.accounts import health, rate_limits, registry
from notifier.delivery.dispatch import Dispatcher
from notifier.delivery.infra import bulk
from notifier.delivery.ledger import claims
from notifier.delivery.ledger.claims import Claimed
from notifier.delivery.ledger.settle import Outcome, queue_again, settle
from notifier.delivery.recheck import load_policies, recheck
from notifier.delivery.wakeup.listener import NullListener, WakeupListener
from notifier.errors import NotifierError
from notifier.metrics.recording import idle, measures
from notifier.models import ProviderAccount
from notifier.tracing import spans, switch
from notifier.vocabulary.status import Lane, Reason, Status
from tenants.models import Device, Tenant

#: seconds after which an open circuit is tried again
CIRCUIT_SECONDS = 15.0
#: seconds until a row is due again that its campaign holds back (the campaign is paused, or over its speed limit)
HELD_SECONDS = 10.0
#: while answers are awaited, the task looks for new work at these intervals: the shortest after it sent rows, because
#: another message may have come meanwhile; longer ones, up to the longest, while there is no new work
POLL_SECONDS = (0.01, 0.05)
#: the task claims this often without a wakeup, in case a wakeup was lost
POLL_ANYWAY_SECONDS = 0.5
#: half of the second within which a stop holds
CHECK_SECONDS = 0.5


@dataclass(frozen=True)
class TaskLimits:
    """The limits of one task."""

    #: rows of one claim: enough to amortise its 5 ms, and so few that accounts take turns several times a second
    claim_size: int = 200
    #: a task ends after this many seconds, and another task goes on with the queue, so that a deploy need not wait for
    #: an endless backlog
    seconds: float = 20.0
    #: the task waits at most this many seconds more for open answers
    drain_seconds: float = 15.0
    #: batches in flight at once; each has a thread that waits
    batches: int = 64
    #: the same for one account: single messages to a provider that hangs would otherwise take all batches
    account_batches: int = 8


DEFAULT_LIMITS = TaskLimits()


def deliver(
    channel_name: str,
    lanes: Sequence[Lane],
    listener: WakeupListener | None = None,
    limits: TaskLimits = DEFAULT_LIMITS,
) -> bool:
    """Send everything that is due, account by account, and stay while `listener` gets wakeups. True when the task
    stopped with work left."""
    bulk.plan_once()
    return _Task(channel_name, lanes, listener or NullListener(), limits).run()


class _Task:
    """The work of one task."""

    def __init__(self, channel_name: str, lanes: Sequence[Lane], listener: WakeupListener, limits: TaskLimits) -> None:
        self._channel, self._lanes, self._listener, self._limits = channel_name, lanes, listener, limits
        kind = channel(channel_name)
        self._queue = queue_of(channel_name, lanes[0])
        self._options = claims.ClaimOptions(begin=kind.repeat_when_in_doubt)
        #: rows of one account in flight at most, where a killed process leaves them in doubt for good
        self._window = None if kind.repeat_when_in_doubt else kind.window
        self._dispatcher, self._paused = Dispatcher(), PausedAccounts()
        self._until = time.monotonic() + limits.seconds
        self._claimed_at = -math.inf
        self._checked_at = time.monotonic()
        #: a wakeup said that there is work, and no claim has followed yet
        self._woken = True
        #: due rows were left that no wakeup will announce: they wait for an answer, or for tokens
        self._left_behind = False

    def run(self) -> bool:
        shortest, longest = POLL_SECONDS
        poll = shortest
        try:
            while time.monotonic() < self._until + self._limits.drain_seconds:
                # past its time a task begins nothing for accounts with open answers, and ends when no answer is open.
                # Other accounts continue meanwhile: a provider that hangs must not make them wait
                late = time.monotonic() > self._until
                if late and not self._dispatcher.batches:
                    break
                started = self._start_due(late)
                if not started and not self._dispatcher.batches:
                    if self._left_behind:
                        time.sleep(longest)
                    elif self._wait():
                        self._woken = True
                    else:
                        break
                poll = shortest if started else min(longest, poll * 1.5)
                self._dispatcher.settle(0.0 if started and self._woken else poll)
                self._withdraw_held()
            while self._dispatcher.batches:
                self._dispatcher.settle(CHECK_SECONDS)
                self._withdraw_held()
        finally:
            self._dispatcher.drain()
        return self._listener.leave() or time.monotonic() > self._until

    def _wait(self) -> bool:
        with idle.listening():
            return self._listener.wait()

    def _withdraw_held(self) -> None:
        """Take back rows of stopped and paused campaigns that wait inside the HTTP client."""
        if time.monotonic() - self._checked_at < CHECK_SECONDS:
            return
        self._checked_at = time.monotonic()
        policies = load_policies(list(self._dispatcher.rows_in_flight()))
        held = {name for name, policy in policies.items() if policy.stopped or policy.holds(self._channel)}
        if held:
            self._dispatcher.withdraw(held)

    def _start_due(self, late: bool) -> bool:
        """Claim and send rows that are due, if some may be due; returns whether there were any."""
        dispatcher, limits, now = self._dispatcher, self._limits, time.monotonic()
        if dispatcher.batches >= limits.batches or self._will_wait():
            return False
        self._woken = self._woken or self._listener.notified()
        if not (self._woken or self._left_behind or now - self._claimed_at > POLL_ANYWAY_SECONDS):
            return False
        busy = dispatcher.busy_accounts(1 if late else self._account_batches(), self._window) + self._paused.accounts()
        self._claimed_at = now
        rows = self._claim(busy)
        if rows:
            failpoints.reach("send.after-claim")
        measures.record_claim(self._queue, len(rows), time.monotonic() - now)
        _process(dispatcher, self._paused, rows, now)
        self._woken = rows.more
        passed_over = busy or self._paused.accounts()
        full = dispatcher.batches >= limits.batches or dispatcher.rows >= limits.claim_size
        self._left_behind = bool(passed_over) or full
        return bool(rows)

    def _will_wait(self) -> bool:
        """Whether the task waits for a wakeup next: `wait` takes one that came meanwhile, in the same query."""
        idle = not (self._woken or self._left_behind or self._dispatcher.batches)
        return idle and not self._listener.disconnected and time.monotonic() - self._claimed_at < POLL_ANYWAY_SECONDS

    def _claim(self, busy: Sequence[uuid.UUID]) -> claims.Claims:
        size = min(self._limits.claim_size, self._window or self._limits.claim_size)
        began = switch.clock()
        rows = self._claim_rows(size, busy)
        if began and rows:
            contexts = spans.contexts_of(row.content for row in rows)
            spans.record("claim", contexts, began, {"channel": self._channel, "messages": len(rows)})
        return rows

    def _claim_rows(self, size: int, busy: Sequence[uuid.UUID]) -> claims.Claims:
        rows = claims.claim(self._channel, self._lanes, size, busy, self._options)
        if rows or not self._woken or self._listener.disconnected:
            return rows
        return claims.claim(self._channel, self._lanes, size, busy, replace(self._options, wait_for_locked=True))

    def _account_batches(self) -> int:
        """Batches of one account in flight at once; with a window, its rows are the limit."""
        return self._limits.account_batches if self._window is None else max(self._window, self._limits.account_batches)


class PausedAccounts:
    """Accounts whose token bucket is empty, until the bucket has tokens again: a claim for them would only release its
    rows."""

    def __init__(self) -> None:
        self._until: dict[uuid.UUID, float] = {}

    def pause(self, account_id: uuid.UUID, seconds: float) -> None:
        self._until[account_id] = time.monotonic() + seconds

    def accounts(self) -> list[uuid.UUID]:
        now = time.monotonic()
        self._until = {account: until for account, until in self._until.items() if until > now}
        return list(self._until)


# ---- one claim -----------------------------------------------------------------------------------------------------


def _process(dispatcher: Dispatcher, paused: PausedAccounts, rows: list[Claimed], claimed_at: float) -> None:
    """Send the rows of one claim, all of one account, as far as the account may send."""
    if not rows:
        return
    account = registry.load_account(rows[0].account_id)
    if account is None or not account.enabled:
        _settle_unsent(reroute(rows))
        return
    if health.read_weights([account.id])[account.id] == 0:
        leaving = leave_unhealthy(account, rows)
        _settle_unsent(leaving)
        queue_again(_without(rows, [outcome.row for outcome in leaving]), CIRCUIT_SECONDS)
        return
    rows = _within_window(dispatcher, account, rows)
    grant = rate_limits.take_for_account(account.id, registry.rate_of(account), len(rows))
    if grant.granted < len(rows):
        queue_again(rows[grant.granted :], grant.wait)
        paused.pause(account.id, grant.wait)
    window = channel(account.channel).window
    granted = _within_campaign_limits(rows[: grant.granted])
    for start in range(0, len(granted), window):
        _send_batch(dispatcher, account, granted[start : start + window], claimed_at)


def _within_window(dispatcher: Dispatcher, account: ProviderAccount, rows: list[Claimed]) -> list[Claimed]:
    """Rows for which the account has room; releases the other rows. Where a repeat hurts, a killed process leaves as
    many messages in doubt as it had in flight."""
    kind = channel(account.channel)
    if kind.repeat_when_in_doubt:
        return rows
    room = kind.window - dispatcher.rows_of(account.id)
    queue_again(rows[room:], 0.0)
    return rows[:room]


def _within_campaign_limits(rows: list[Claimed]) -> list[Claimed]:
    """Rows that the speed limits of their campaigns let leave now; releases the other rows."""
    for campaign_id, policy in load_policies(rows).items():
        if not policy.rate_per_s:
            continue
        of_campaign = [row for row in rows if row.campaign_id == campaign_id]
        limit = rate_limits.campaign_limit(campaign_id, policy.rate_per_s)
        over_limit = of_campaign[rate_limits.take_tokens(len(of_campaign), limit).granted :]
        queue_again(over_limit, min(HELD_SECONDS, len(over_limit) / policy.rate_per_s))
        rows = _without(rows, over_limit)
    return rows


def _send_batch(dispatcher: Dispatcher, account: ProviderAccount, rows: list[Claimed], claimed_at: float) -> None:
    policies = load_policies(rows)
    holding = {campaign_id for campaign_id, policy in policies.items() if policy.holds(account.channel)}
    held = [row for row in rows if row.campaign_id in holding]
    rows = _without(rows, held)
    unsent = recheck(rows, policies)
    begun = _begun(account, _without(rows, [outcome.row for outcome in unsent]), claimed_at)
    if begun:
        failpoints.reach("send.before-request")
    for campaign_id in dict.fromkeys(row.campaign_id for row in begun):  # a stop withdraws whole batches
        dispatcher.start(account, [row for row in begun if row.campaign_id == campaign_id])
    # after the start: settling may wait for the database, and nothing may delay a message between its check and its
    # request
    _settle_unsent(unsent)
    # not settled: a pause of a day must not write a day's history of every row
    queue_again(held, HELD_SECONDS)


def _begun(account: ProviderAccount, rows: list[Claimed], claimed_at: float) -> list[Claimed]:
    """The rows that may be sent now."""
    if not channel(account.channel).repeat_when_in_doubt:
        return claims.begin(rows)
    # the claim began the rows. The checks since then may have taken long: renew before the lease can end
    lease_is_old = time.monotonic() - claimed_at > settings.LEASE_SECONDS / 3
    return claims.renew(rows) if lease_is_old else rows


def _settle_unsent(outcomes: Sequence[Outcome]) -> None:
    """Settle rows that were not sent; they do not use up an attempt."""
    claims.unbegin([outcome.row for outcome in outcomes])
    settle(outcomes)


def _without(rows: list[Claimed], removed: Sequence[Claimed]) -> list[Claimed]:
    ids = {row.id for row in removed}
    return [row for row in rows if row.id not in ids] if removed else rows


def reroute(rows: Sequence[Claimed]) -> list[Outcome]:
    """Outcomes for rows whose account was disabled or deleted after acceptance: another account, or a failure. A row
    with an attempt in doubt ends as unknown: through another account, a repeat would arrive twice."""
    tenants = Tenant.objects.in_bulk({row.tenant_id for row in rows})
    device_ids = [row.address.device_id for row in rows if row.address.device_id]
    # a row has no app: the device's own one decides, because the account may have served devices of any app
    apps: dict[uuid.UUID | None, str] = dict(Device.objects.filter(id__in=device_ids).values_list("id", "app"))
    return [_reroute(row, tenants[row.tenant_id], apps.get(row.address.device_id, "")) for row in rows]


def leave_unhealthy(account: ProviderAccount, rows: Sequence[Claimed]) -> list[Outcome]:
    """Outcomes for rows of an account with an open circuit that a healthy account takes over. A row with an attempt in
    doubt stays: only its account can hide a repeat."""
    fallbacks = registry.fallback_accounts(Tenant.objects.get(pk=account.tenant_id), account, rows[0].mode)
    if not fallbacks:
        return []
    detail = f"the account {account.name} is unavailable"[:300]
    return [Outcome(row, Status.QUEUED, detail=detail, account_id=fallbacks[0].id) for row in rows if not row.in_doubt]


def _reroute(row: Claimed, tenant: Tenant, app: str) -> Outcome:
    if row.in_doubt:
        return Outcome(row, Status.UNKNOWN, Reason.IN_DOUBT, "its account was disabled", dead_letter=True)
    try:
        account = registry.choose_account(tenant, row.channel, row.address.platform, row.mode, app)
    except NotifierError as error:
        return Outcome(row, Status.FAILED, Reason.NO_ACCOUNT, error.message, dead_letter=True)
    return Outcome(row, Status.QUEUED, detail="its account was disabled", account_id=account.id)
