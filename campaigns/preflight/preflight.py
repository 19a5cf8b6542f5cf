"""What an armed campaign is about to do: how many messages leave where, how long that takes and why, what a wanted time
would take, what one message looks like, and what the person who presses GO should know first."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from campaigns.arming.render_problems import RenderProblem, excluded_messages
from campaigns.models import Campaign
from campaigns.preflight import capacity, preview, spot_check, workers
from campaigns.preflight.capacity import Pace
from campaigns.preflight.preview import Sample
from campaigns.preflight.warnings import Seen, warnings
from campaigns.report.results import ready_by_channel
from campaigns.templatetags.figures import duration
from notifier.channels import channel
from notifier.channels.queues import queue_of
from notifier.delivery.accounts import registry
from notifier.errors import Conflict, InvalidInput
from notifier.models import ProviderAccount
from notifier.providers import Provider, provider_class
from notifier.vocabulary.people import Person
from notifier.vocabulary.status import Lane, Reason

#: a rate limit that costs less than this is not worth a sentence about raising it: its bucket holds a second's worth
SHORT = 1.0


@dataclass(frozen=True)
class Ready:
    """Messages on one channel through one account; `seconds` is the least its rate limit allows."""

    channel: str
    account: str
    provider: str
    messages: int
    rate: float | None = None
    enabled: bool = True
    #: the rate is the provider's default, and not what somebody set for this account
    by_default: bool = False
    #: what one worker does with this account; None: nobody knows yet
    per_worker: float | None = None
    #: the campaign that showed it; "" for the figure of our own measurements
    shown_by: str = ""

    @property
    def seconds(self) -> float:
        return self.messages / self.rate if self.rate else 0.0


@dataclass(frozen=True)
class Need:
    """What a wanted time takes on one channel, and whether the account's limit allows it at all."""

    channel: str
    plan: capacity.Plan
    says: Sequence[str]


@dataclass(frozen=True)
class Preflight:
    audience: int
    #: people of the audience who get no message; `unknown` of them are ids of a list that are no recipients
    unreached: int
    #: what was left out by reason: messages, and those ids
    excluded: Mapping[str, int]
    problems: Sequence[RenderProblem]
    ready: Sequence[Ready]
    warnings: Sequence[str]
    arithmetic: Sequence[str] = ()
    #: how long it will take, and what decides that
    estimate: Pace | None = None
    #: channel -> bulk workers that listen; None: the broker does not answer
    workers: Mapping[str, int] | None = None
    needs: Sequence[Need] = ()
    person: Person | None = None
    samples: Sequence[Sample] = ()

    @property
    def messages(self) -> int:
        return sum(r.messages for r in self.ready)

    @property
    def unknown(self) -> int:
        return self.excluded.get(Reason.UNKNOWN_RECIPIENT, 0)

    @property
    def left_out(self) -> Mapping[str, int]:
        return excluded_messages(self.excluded)

    @property
    def rows(self) -> list[tuple[Ready, int | None]]:
        """Each with the workers that listen for it."""
        return [(r, self.workers.get(r.channel) if self.workers else None) for r in self.ready]


def preflight(campaign: Campaign, seconds: float | None = None) -> Preflight:
    """Everything above, for a campaign that is armed. `seconds`: the time in which it should be out. Raises Conflict
    before it is armed, or InvalidInput for a time that cannot be."""
    if campaign.state not in (Campaign.State.ARMED, Campaign.State.LAUNCHING):
        raise Conflict(f"Preflight needs an armed campaign; this one is {campaign.state}.", code="not_armed")
    now = datetime.now(UTC)
    ready = _ready(campaign)
    workers = _workers(ready)
    estimate = capacity.slowest(paces(ready, campaign.rate_per_s, workers))
    person = preview.somebody(campaign)
    seen = Seen(ready, estimate.seconds if estimate else 0.0, workers, spot_check.look(campaign, now))
    return Preflight(
        audience=campaign.audience_size,
        unreached=campaign.unreached,
        excluded=dict(sorted(campaign.excluded.items(), key=lambda item: -item[1])),
        problems=campaign.problems,
        ready=ready,
        warnings=warnings(campaign, seen, now),
        arithmetic=[arithmetic(r, estimate.seconds if estimate else 0.0, seconds) for r in ready if r.rate],
        estimate=estimate,
        workers=workers,
        needs=needs(ready, seconds) if seconds is not None else (),
        person=person,
        samples=preview.samples(campaign, person) if person else (),
    )


# ---- deciding ----------------------------------------------------------------------------------------------------


def arithmetic(ready: Ready, takes: float, wanted: float | None = None) -> str:
    """What a rate limit does to an account's messages; who could raise it, where it is what holds them up."""
    provider = provider_class(ready.provider)
    where = provider.limit_of if ready.by_default else f"the account {ready.account}"
    takes_it = duration(ready.seconds) if ready.seconds >= 0.1 else "less than 0.1 s"
    said = f"{ready.messages:,} on {where} at {capacity.rate(ready.rate or 0)} takes {takes_it}"
    binds = ready.seconds > SHORT and ready.seconds >= (takes if wanted is None else wanted)
    if not binds or not ready.by_default:
        return f"{said}."
    ask = provider.raise_quota(ready.messages / wanted if wanted else ready.rate or 0)
    return f"{said}; {ask}." if ask else f"{said}."


def paces(ready: Sequence[Ready], rate_per_s: float | None, workers: Mapping[str, int] | None) -> list[Pace]:
    """Everything that takes time: the accounts' limits, the campaign's own, and what the workers can do."""
    found = [Pace(r.seconds, f"by the rate limit of {r.account}") for r in ready if r.rate]
    messages = sum(r.messages for r in ready)
    if rate_per_s:
        found.append(Pace(messages / rate_per_s, f"by its own limit of {rate_per_s:,g} a second"))
    for name in sorted({r.channel for r in ready}) if workers else ():
        if number := (workers or {}).get(name, 0):
            found += _by_workers([r for r in ready if r.channel == name], name, number)
    return found


def _by_workers(ready: Sequence[Ready], channel: str, number: int) -> list[Pace]:
    """One channel's workers carry all of its accounts, one after the other."""
    busy = [(r.messages / r.per_worker, r) for r in ready if r.per_worker]
    if len(busy) < len(ready):
        return []
    slowest = max(busy, key=lambda each: each[0])[1]
    shown = f"as in “{slowest.shown_by}”" if slowest.shown_by else "until a silent run has shown it"
    who = capacity.counted(number, "worker")
    why = f"by {who} on {channel} at {slowest.per_worker or 0:,.0f} a second each, {shown}"
    return [Pace(sum(seconds for seconds, _ in busy) / number, why)]


def needs(ready: Sequence[Ready], seconds: float) -> list[Need]:
    """What it takes to have each account's messages out in so many seconds. Raises InvalidInput."""
    return [_need(r, seconds) for r in ready if not provider_class(r.provider).builtin]


def _need(ready: Ready, seconds: float) -> Need:
    # a worker that was slower had too few connections or a limit, and the plan has as many as it takes
    per_worker = max(capacity.MEASURED.per_worker, ready.per_worker or 0)
    kind = channel(ready.channel)
    if not kind.repeat_when_in_doubt:  # more connections do not widen the channel's window; more workers do
        per_worker = min(per_worker, capacity.of_one(kind.window))
    figures = replace(capacity.MEASURED, per_worker=per_worker)
    plan = capacity.plan(capacity.Wanted(ready.messages, seconds), figures)
    says = [
        f"{capacity.counted(plan.workers, 'worker')} on {queue_of(ready.channel, Lane.BULK)} with "
        f"{capacity.counted(plan.connections_per_worker, 'connection')} each"
    ]
    if ready.rate and ready.seconds > seconds:
        says.append(f"{ready.account} must allow {capacity.rate(ready.messages / seconds)}, not {_limit(ready)}")
    return Need(ready.channel, plan, says)


def _limit(ready: Ready) -> str:
    return f"{capacity.rate(ready.rate or 0)}{' (the default)' if ready.by_default else ''}"


def read_seconds(raw: str | None) -> float | None:
    """A wanted time as somebody typed it; None where nobody did. Raises InvalidInput."""
    if not raw:
        return None
    try:
        seconds = float(raw)
    except ValueError:
        raise InvalidInput("Must be a number of seconds, such as 5.", field="seconds") from None
    capacity.check(capacity.Wanted(1, seconds))
    return seconds


def as_json(found: Preflight) -> dict[str, Any]:
    """What the API answers."""
    return {
        "audience": found.audience,
        "unreached": found.unreached,
        "excluded": dict(found.excluded),
        "problems": list(found.problems),
        "messages": found.messages,
        "ready": [{**asdict(r), "seconds": r.seconds} for r in found.ready],
        "arithmetic": list(found.arithmetic),
        "seconds": found.estimate.seconds if found.estimate else None,
        "because": found.estimate.why if found.estimate else "",
        "workers": found.workers,
        "needs": [_need_json(need) for need in found.needs],
        "warnings": list(found.warnings),
    }


def _need_json(need: Need) -> dict[str, Any]:
    return {
        "channel": need.channel,
        "workers": need.plan.workers,
        "connections_per_worker": need.plan.connections_per_worker,
        "rate_per_s": need.plan.rate_per_s,
        "says": list(need.says),
    }


# ---- reading -----------------------------------------------------------------------------------------------------


def _ready(campaign: Campaign) -> list[Ready]:
    counts = ready_by_channel(campaign)
    used = ProviderAccount.objects.filter(tenant_id=campaign.tenant_id).in_bulk([account for _, account in counts])
    speeds = workers.speeds(campaign, used)
    return [
        _account(channel, used[account_id], messages, speeds)
        for (channel, account_id), messages in sorted(counts.items(), key=lambda item: (item[0][0], -item[1]))
    ]


def _account(channel: str, account: ProviderAccount, messages: int, speeds: Mapping[uuid.UUID, workers.Speed]) -> Ready:
    provider: type[Provider[Any]] = provider_class(account.provider)
    shown = speeds.get(account.pk)
    return Ready(
        channel=channel,
        account=account.name,
        provider=account.provider,
        messages=messages,
        rate=registry.rate_of(account),
        enabled=account.enabled,
        by_default=not account.rate_per_s,
        per_worker=shown.per_s if shown else _unseen(account, provider),
        shown_by=shown.shown_by if shown else "",
    )


def _unseen(account: ProviderAccount, provider: type[Provider[Any]]) -> float | None:
    """What a worker will do that was never seen with this account. What is stored in our own database has another
    speed than what leaves over the wire, and none that was measured."""
    if provider.builtin:
        return None
    streams = settings.PROVIDER_CONNECTIONS * capacity.MEASURED.streams
    in_flight = channel(provider.channel).in_flight(streams)
    return capacity.of_one(in_flight, 0 if account.sandbox else capacity.ROUND_TRIP_MS)


def _workers(ready: Sequence[Ready]) -> dict[str, int] | None:
    listening = workers.listening()
    if listening is None:
        return None
    return {r.channel: listening.get(queue_of(r.channel, Lane.BULK), 0) for r in ready}
