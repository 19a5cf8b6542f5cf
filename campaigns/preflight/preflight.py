"""What an armed campaign is about to do: how many messages leave through which account, how long that takes and why,
what a given time would need, an example of a message, and the warnings for the person who presses GO."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from campaigns.arming.planning.render_problems import RenderProblem, excluded_messages
from campaigns.arming.planning.variants import experiment_of, variant_sizes
from campaigns.audience import topic_of
from campaigns.lifecycle.fan_out.waves import Wave, waves_of
from campaigns.lifecycle.launching import quotas
from campaigns.models import Campaign
from campaigns.preflight import capacity, preview, workers
from campaigns.preflight.capacity import Pace
from campaigns.preflight.preview import Sample
from campaigns.preflight.spot_check import spot_check
from campaigns.preflight.warnings import Findings, warnings
from campaigns.report.results import Armed, ready_by_channel
from campaigns.templatetags.figures import duration
from notifier.channels import channel
from notifier.channels.queues import queue_of
from notifier.delivery.accounts import registry
from notifier.errors import Conflict, InvalidInput, NotifierError
from notifier.models import ProviderAccount
from notifier.providers import Provider, provider_class
from notifier.vocabulary.people import Person
from notifier.vocabulary.status import Lane, Reason

#: seconds; a rate limit that costs less is not worth asking for a higher one: its bucket holds one second of messages
SHORT = 1.0


@dataclass(frozen=True)
class Ready:
    """Messages on one channel through one account; `seconds` is the least time that the rate limit allows."""

    channel: str
    account: str
    provider: str
    messages: int
    rate: float | None = None
    enabled: bool = True
    #: the rate is the provider's default; no rate was set for this account
    by_default: bool = False
    #: messages a second of one worker with this account; None: not measured yet
    per_worker: float | None = None
    #: the campaign that showed `per_worker`; "" for the figure of our own measurements
    shown_by: str = ""
    #: of the devices that the account sends to; empty on a channel without devices
    platform: str = ""
    #: arming made the bodies of these messages: Web Push encrypts each one
    prepared: bool = False
    #: of all messages together, on a channel that is billed by segments
    segments: int = 0
    #: of one segment, as the account's settings say; 0: unknown
    price_per_segment: float = 0.0

    @property
    def seconds(self) -> float:
        # a provider that bills by segments counts its limit in segments, too
        return max(self.messages, self.segments) / self.rate if self.rate else 0.0

    @property
    def cost(self) -> float | None:
        """The estimated cost in the currency of the account's price; None: no price is set."""
        return round(self.segments * self.price_per_segment, 4) if self.price_per_segment else None


@dataclass(frozen=True)
class Need:
    """What a given time needs on one channel, and whether the account's limit allows that time."""

    channel: str
    plan: capacity.Plan
    sentences: Sequence[str]


@dataclass(frozen=True)
class Preflight:
    audience: int
    #: people of the audience who get no message; `unknown` of them are ids of the list that are no recipients
    unreached: int
    #: messages that were left out, and ids that are no recipients, by reason
    excluded: Mapping[str, int]
    problems: Sequence[RenderProblem]
    ready: Sequence[Ready]
    warnings: Sequence[str]
    #: of a campaign to a topic, in words; empty for recipients
    topic: str = ""
    arithmetic: Sequence[str] = ()
    #: how long it will take, and what decides that
    estimate: Pace | None = None
    #: channel -> bulk workers that listen; None: the broker does not answer
    workers: Mapping[str, int] | None = None
    needs: Sequence[Need] = ()
    person: Person | None = None
    samples: Sequence[Sample] = ()
    #: of a campaign at local time: when its messages become due
    waves: Sequence[Wave] = ()

    @property
    def messages(self) -> int:
        return sum(r.messages for r in self.ready)

    @property
    def segments(self) -> int:
        return sum(r.segments for r in self.ready)

    @property
    def cost(self) -> float | None:
        """The estimated cost of all accounts with a price per segment; None: there is none."""
        costs = [r.cost for r in self.ready if r.cost is not None]
        return sum(costs) if costs else None

    @property
    def unknown(self) -> int:
        return self.excluded.get(Reason.UNKNOWN_RECIPIENT, 0)

    @property
    def left_out(self) -> Mapping[str, int]:
        return excluded_messages(self.excluded)

    @property
    def rows(self) -> list[tuple[Ready, int | None]]:
        """Each account with the number of workers that listen for its channel."""
        return [(r, self.workers.get(r.channel) if self.workers else None) for r in self.ready]


def preflight(campaign: Campaign, seconds: float | None = None) -> Preflight:
    """Preflight of an armed campaign. `seconds`: the time in which every message should be answered. Raises Conflict
    before the campaign is armed, or InvalidInput for a time that is out of range."""
    if campaign.state not in (Campaign.State.ARMED, Campaign.State.LAUNCHING):
        raise Conflict(f"Preflight needs an armed campaign; this one is {campaign.state}.", code="not_armed")
    now = datetime.now(UTC)
    ready = _ready(campaign)
    workers = _workers(ready)
    estimate = capacity.slowest(paces(ready, campaign.rate_per_s, workers))
    person = preview.example_recipient(campaign)
    takes, waves = estimate.seconds if estimate else 0.0, waves_of(campaign)
    findings = Findings(ready, takes, workers, spot_check(campaign, now), waves)
    experiment = experiment_of(campaign)
    sizes = variant_sizes(campaign) if experiment else {}
    full = quotas.full_quotas(campaign, now)
    found = replace(findings, experiment=experiment, variant_sizes=sizes, full_quotas=full)
    return Preflight(
        audience=campaign.audience_size,
        topic=topic_of(campaign),
        unreached=campaign.unreached,
        excluded=dict(sorted(campaign.excluded.items(), key=lambda item: -item[1])),
        problems=campaign.problems,
        ready=ready,
        warnings=warnings(campaign, found, now),
        arithmetic=[
            *(arithmetic(r, takes, seconds) for r in ready if r.rate),
            *(encryption(r) for r in ready if r.prepared),
        ],
        estimate=estimate,
        workers=workers,
        needs=needs(ready, seconds) if seconds is not None else (),
        person=person,
        samples=preview.samples(campaign, person),
        waves=waves,
    )


# ---- deciding ----------------------------------------------------------------------------------------------------


def arithmetic(ready: Ready, takes: float, goal: float | None = None) -> str:
    """What a rate limit means for an account's messages; whom to ask for more, where this limit decides. `takes`:
    seconds of the whole campaign; `goal`: seconds that it should take."""
    provider = provider_class(ready.provider)
    where = provider.limit_of if ready.by_default else f"the account {ready.account}"
    least = duration(ready.seconds) if ready.seconds >= 0.1 else "less than 0.1 s"
    number = f"{ready.messages:,}"
    if ready.segments > ready.messages:
        number += f" in {ready.segments:,} segments"
    sentence = f"{number} on {where} at {capacity.rate(ready.rate or 0)} takes {least}"
    decides = ready.seconds > SHORT and ready.seconds >= (takes if goal is None else goal)
    if not decides or not ready.by_default:
        return f"{sentence}."
    ask = provider.raise_quota(ready.messages / goal if goal else ready.rate or 0)
    return f"{sentence}; {ask}." if ask else f"{sentence}."


def encryption(ready: Ready) -> str:
    """What arming did for messages that are encrypted one by one."""
    seconds = ready.messages * capacity.MEASURED.encryption_us / 1_000_000
    least = duration(seconds) if seconds >= 0.1 else "less than 0.1 s"
    number = capacity.counted(ready.messages, "message")
    return f"{number} on {ready.account}: arming encrypted each for its browser, which took about {least} of one core."


def paces(ready: Sequence[Ready], rate_per_s: float | None, workers: Mapping[str, int] | None) -> list[Pace]:
    """Everything that takes time: the limits of the accounts, the campaign's own limit, and the speed of the
    workers."""
    paces = [Pace(r.seconds, f"by the rate limit of {r.account}") for r in ready if r.rate]
    messages = sum(r.messages for r in ready)
    if rate_per_s:
        paces.append(Pace(messages / rate_per_s, f"by its own limit of {rate_per_s:,g} a second"))
    for name in sorted({r.channel for r in ready}) if workers else ():
        if number := (workers or {}).get(name, 0):
            paces += _by_workers([r for r in ready if r.channel == name], name, number)
    return paces


def _by_workers(ready: Sequence[Ready], channel: str, number: int) -> list[Pace]:
    """The workers of a channel send the messages of all its accounts, one after the other."""
    busy = [(r.messages / r.per_worker, r) for r in ready if r.per_worker]
    if len(busy) < len(ready):
        return []
    slowest = max(busy, key=lambda each: each[0])[1]
    shown = f"as in “{slowest.shown_by}”" if slowest.shown_by else "until a silent run has shown it"
    who = capacity.counted(number, "worker")
    why = f"by {who} on {channel} at {slowest.per_worker or 0:,.0f} a second each, {shown}"
    return [Pace(sum(seconds for seconds, _ in busy) / number, why)]


def needs(ready: Sequence[Ready], seconds: float) -> list[Need]:
    """What each account's messages need to be answered in so many seconds. Raises InvalidInput."""
    return [_need(r, seconds) for r in ready if not provider_class(r.provider).builtin]


def _need(ready: Ready, seconds: float) -> Need:
    # a worker that was slower had too few connections or a limit; the plan has as many connections as needed
    per_worker = max(capacity.MEASURED.per_worker, ready.per_worker or 0)
    kind = channel(ready.channel)
    if not kind.repeat_when_in_doubt:  # more connections do not widen the channel's window; more workers do
        per_worker = min(per_worker, capacity.rate_of_worker(kind.window))
    figures = replace(capacity.MEASURED, per_worker=per_worker)
    plan = capacity.plan(capacity.Goal(ready.messages, seconds), figures)
    sentences = [
        f"{capacity.counted(plan.workers, 'worker')} on {queue_of(ready.channel, Lane.BULK)} with "
        f"{capacity.counted(plan.connections_per_worker, 'connection')} each"
    ]
    if ready.rate and ready.seconds > seconds:
        sentences.append(f"{ready.account} must allow {capacity.rate(ready.messages / seconds)}, not {_limit(ready)}")
    return Need(ready.channel, plan, sentences)


def _limit(ready: Ready) -> str:
    return f"{capacity.rate(ready.rate or 0)}{' (the default)' if ready.by_default else ''}"


def read_seconds(raw: str | None) -> float | None:
    """A number of seconds as a person typed it; None for an empty text. Raises InvalidInput."""
    if not raw:
        return None
    try:
        seconds = float(raw)
    except ValueError:
        raise InvalidInput("Must be a number of seconds, such as 5.", field="seconds") from None
    capacity.check(capacity.Goal(1, seconds))
    return seconds


def as_json(preflight: Preflight) -> dict[str, Any]:
    """What the API answers."""
    return {
        "audience": preflight.audience,
        "topic": preflight.topic,
        "unreached": preflight.unreached,
        "excluded": dict(preflight.excluded),
        "problems": list(preflight.problems),
        "messages": preflight.messages,
        "segments": preflight.segments,
        "cost": preflight.cost,
        "ready": [{**asdict(r), "seconds": r.seconds, "cost": r.cost} for r in preflight.ready],
        "arithmetic": list(preflight.arithmetic),
        "waves": [asdict(wave) for wave in preflight.waves],
        "seconds": preflight.estimate.seconds if preflight.estimate else None,
        "because": preflight.estimate.why if preflight.estimate else "",
        "workers": preflight.workers,
        "needs": [_need_json(need) for need in preflight.needs],
        "warnings": list(preflight.warnings),
    }


def _need_json(need: Need) -> dict[str, Any]:
    return {
        "channel": need.channel,
        "workers": need.plan.workers,
        "connections_per_worker": need.plan.connections_per_worker,
        "rate_per_s": need.plan.rate_per_s,
        "says": list(need.sentences),
    }


# ---- reading -----------------------------------------------------------------------------------------------------


def _ready(campaign: Campaign) -> list[Ready]:
    counts = ready_by_channel(campaign)
    used = ProviderAccount.objects.filter(tenant_id=campaign.tenant_id).in_bulk([account for _, account in counts])
    speeds = workers.speeds(campaign, used)
    return [
        _account(channel, used[account_id], armed, speeds)
        for (channel, account_id), armed in sorted(counts.items(), key=lambda item: (item[0][0], -item[1].messages))
    ]


def _account(channel: str, account: ProviderAccount, armed: Armed, speeds: Mapping[uuid.UUID, workers.Speed]) -> Ready:
    provider: type[Provider[Any]] = provider_class(account.provider)
    shown = speeds.get(account.pk)
    return Ready(
        channel=channel,
        account=account.name,
        provider=account.provider,
        messages=armed.messages,
        rate=registry.rate_of(account),
        enabled=account.enabled,
        by_default=not account.rate_per_s,
        platform=provider.platform,
        prepared=provider.prepares,
        per_worker=shown.per_s if shown else _assumed_speed(account, provider),
        shown_by=shown.shown_by if shown else "",
        segments=armed.segments,
        price_per_segment=_price_per_segment(account) if armed.segments else 0.0,
    )


def _price_per_segment(account: ProviderAccount) -> float:
    """0 where the account's settings have no price, or no key opens them: such an account sends nothing."""
    try:
        return float(getattr(registry.provider_for(account).config, "price_per_segment", 0.0))
    except (NotifierError, ValueError):
        return 0.0


def _assumed_speed(account: ProviderAccount, provider: type[Provider[Any]]) -> float | None:
    """Messages a second of a worker that never sent with this account. A built-in provider, which stores messages in
    our own database, has another speed, which was not measured."""
    if provider.builtin:
        return None
    streams = settings.PROVIDER_CONNECTIONS * capacity.MEASURED.streams
    in_flight = channel(provider.channel).in_flight(streams)
    return capacity.rate_of_worker(in_flight, 0 if account.sandbox else capacity.ROUND_TRIP_MS)


def _workers(ready: Sequence[Ready]) -> dict[str, int] | None:
    listening = workers.listening()
    if listening is None:
        return None
    return {r.channel: listening.get(queue_of(r.channel, Lane.BULK), 0) for r in ready}
