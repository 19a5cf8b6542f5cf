"""Sentences for the person who is about to press GO: what is unusual about this campaign, at this hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings
from django.utils.timezone import localtime

from campaigns.arming.render_problems import count_unrendered, excluded_messages, problem_sentences
from campaigns.models import Campaign
from campaigns.preflight.spot_check import UNSEEN, Spot
from notifier.channels.queues import queue_of
from notifier.vocabulary.status import Lane, Mode

#: a freeze older than this is worth a warning: whoever joined since is not in it
STALE = timedelta(hours=24)
#: a larger share of people who get nothing usually means a wrong audience or a missing address column
MANY_UNREACHED = 0.5
#: a larger share of devices that were not seen for long: most of those messages reach nobody, and count as errors
MANY_UNSEEN = 0.2


NOTHING = Spot()


class Account(Protocol):
    """What is said about one account's messages."""

    @property
    def channel(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def messages(self) -> int: ...
    @property
    def enabled(self) -> bool: ...


@dataclass(frozen=True)
class Seen:
    """What preflight found out."""

    ready: Sequence[Account]
    #: how long it will take
    seconds: float = 0.0
    #: channel -> workers that listen; None where nobody knows
    workers: Mapping[str, int] | None = None
    spot: Spot = NOTHING


def warnings(campaign: Campaign, seen: Seen, now: datetime) -> list[str]:
    """All that is to be said, the worst first."""
    return [*_who(campaign, seen), *_never(campaign, seen, now), *_when(campaign, now), *_people(seen.spot)]


def _who(campaign: Campaign, seen: Seen) -> Iterator[str]:
    """Whether it reaches the right people, and whether anybody looked."""
    if campaign.mode == Mode.TEST:
        yield "This is a test campaign: everything goes to the sandbox and nobody is reached."
    elif campaign.tenant.sandbox:
        yield f"{campaign.tenant} has not gone live: everything goes to the sandbox and nobody is reached."
    people, nobody = campaign.audience_size, campaign.unreached
    if nobody and nobody >= MANY_UNREACHED * people:
        yield f"{nobody:,} of {people:,} people get nothing. Is this the right audience?"
    messages = sum(r.messages for r in seen.ready) + sum(excluded_messages(campaign.excluded).values())
    failed = count_unrendered(campaign.excluded)
    if failed and 100 * failed >= settings.UNRENDERED_WARN_PERCENT * messages:
        yield f"{failed:,} of {messages:,} messages could not be rendered. {problem_sentences(campaign.problems)[0]}"
    if campaign.tested_at is None:
        yield "Nobody has seen it yet as it is now: send it to yourself first."
    elif campaign.tested_version_id != campaign.version_id:
        yield "The template was published anew between the last test send and the arming: send it to yourself again."


def _never(campaign: Campaign, seen: Seen, now: datetime) -> Iterator[str]:
    """Whether all of it can leave."""
    for account in seen.ready:
        if not account.enabled:
            yield f"The account {account.account} is switched off; {account.channel} will wait for it."
    for channel, number in sorted((seen.workers or {}).items()):
        if not number:
            yield f"No worker listens on {queue_of(channel, Lane.BULK)}: nothing leaves until one is started."
    if campaign.not_after is not None and now + timedelta(seconds=seen.seconds) > campaign.not_after:
        yield "Its “not after” comes before everything can have left; the rest will expire."


def _when(campaign: Campaign, now: datetime) -> Iterator[str]:
    if campaign.armed_at is not None and now - campaign.armed_at > STALE:
        yield f"It was armed on {localtime(campaign.armed_at):%d %B at %H:%M %Z}. Whoever joined since is not in it."


def _people(spot: Spot) -> Iterator[str]:
    if spot.quiet:
        share = _share(spot.quiet, spot.looked, spot.exact)
        yield f"{share} messages are for people in their quiet hours now; those wait until they end."
    if spot.devices and spot.unseen >= MANY_UNSEEN * spot.devices:
        share = _share(spot.unseen, spot.devices, spot.exact)
        yield f"{share} devices were not seen for {UNSEEN.days} days; many of them may not exist any more."


def _share(part: int, whole: int, exact: bool) -> str:
    return f"{part:,} of the {whole:,}" if exact else f"About {100 * part / whole:.0f} % of the"
