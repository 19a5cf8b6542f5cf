"""On which channels the recipients of an audience can be reached, and why the others cannot: by the rules that decide a
campaign, for the sampled recipients."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from notifier.channels import channels
from notifier.delivery.planning.plan import Planned, plan
from notifier.delivery.planning.recipients import load_by_ids
from notifier.delivery.planning.rule import Rule
from notifier.vocabulary.people import Person
from notifier.vocabulary.status import Reason


@dataclass
class ChannelReach:
    """Of one channel, numbers of recipients: those who can be reached, by platform of their devices, and the others by
    reason. A recipient with devices of two platforms counts once in `people` and in both platforms."""

    channel: str
    people: int = 0
    devices: int = 0
    platforms: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Reachable:
    """`looked_at` recipients were looked at; `nowhere` of them can be reached on no channel but the inbox."""

    looked_at: int
    channels: Sequence[ChannelReach]
    nowhere: int


#: without a category: what a recipient said about single categories is the campaign's matter
ANY_MESSAGE = Rule()


def reachable(tenant_id: uuid.UUID, ids: Sequence[uuid.UUID], rule: Rule = ANY_MESSAGE) -> Reachable:
    """Decide for these recipients on every channel. 500 recipients take 70 ms (300 on a busy machine)."""
    people = load_by_ids(tenant_id, ids)
    by_channel = {name: ChannelReach(name) for name in sorted(channels())}
    nowhere = sum(not _add(by_channel, person, rule) for person in people.values())
    return Reachable(len(people), list(by_channel.values()), nowhere)


def _add(by_channel: dict[str, ChannelReach], person: Person, rule: Rule) -> bool:
    """Count one recipient on every channel; returns whether one of them, other than the inbox, reaches."""
    outside = False
    for name, counts in by_channel.items():
        entries = plan(person, rule, [name], None)
        planned = [entry for entry in entries if isinstance(entry, Planned)]
        if planned:
            counts.people += 1
            counts.devices += len(planned)
            counts.platforms.update({entry.address.platform for entry in planned if entry.address.platform})
            outside = outside or name != "in_app"
        else:
            reasons = {str(entry.reason) for entry in entries if not isinstance(entry, Planned)}
            counts.reasons[min(reasons, default=str(Reason.NO_ADDRESS))] += 1
    return outside
