"""Take the places of a campaign's messages in the windows of frequency caps, while a range is armed.

No recipient is left out here: a message without a place is marked in its shard, and the last look before sending
(campaigns.sending.cap_check) asks again, because GO may come in another window.

A campaign with one cap arms at 0.83 of the rate without one, with two caps at 0.63 (medians of five runs of 40,000 push
messages in turn, on two quiet cores: 31,600, 26,400 and 20,000 a second, by one process); where each recipient has a
message in the window already, one cap costs the same within the noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from campaigns.models import Campaign
from notifier.delivery.caps import places
from notifier.delivery.caps.loading import cached_caps
from notifier.delivery.planning.cap_rules import Cap, Window, caps_for, window_at
from notifier.delivery.planning.plan import Rule
from notifier.vocabulary.status import Mode


@dataclass(frozen=True)
class ShardPlaces:
    """What arming knows of the places of one shard: see campaigns.shard.payload.Payload."""

    over_cap: list[int] = field(default_factory=list)
    window: list[float] = field(default_factory=list)


NO_PLACES = ShardPlaces()


class Recipients(NamedTuple):
    """The recipients of one shard's messages (hex digits, in the order of the messages), the shard's channel, and when
    its messages leave. All messages of a recipient leave at the same time."""

    channel: str
    ids: Sequence[str]
    leaves_at: datetime


def caps_of_campaign(campaign: Campaign, rule: Rule) -> dict[str, list[Cap]]:
    """channel -> the caps that hold the campaign's messages; empty when none does. A rehearsal and a test take no
    places, because they reach no recipient; nor does a topic of Firebase, whose recipients are not known."""
    is_topic = campaign.audience is not None and campaign.audience.is_topic
    if campaign.message_mode != Mode.LIVE or is_topic:
        return {}
    caps = cached_caps(campaign.tenant_id)
    by_channel = {channel: caps_for(caps, rule, channel) for channel in campaign.channels} if caps else {}
    return {channel: channel_caps for channel, channel_caps in by_channel.items() if channel_caps}


@dataclass
class PlaceTaker:
    """Takes the places of one range. `zones`: recipient (hex digits) -> own zone, where the recipient has one."""

    campaign: Campaign
    caps: dict[str, list[Cap]]
    zones: dict[str, str]

    def take_places(self, shards: Sequence[Recipients]) -> list[ShardPlaces]:
        """One entry for each shard. All waves of a range together: windows are locked in the order of their keys, cap
        by cap, as an acceptance locks them, so that neither waits for the other in a circle."""
        over: dict[Cap, set[str]] = {}
        taken: dict[Cap, dict[datetime, list[str]]] = {}
        ends: dict[tuple[Cap, datetime], list[Window]] = {}
        for cap in sorted({cap for caps in self.caps.values() for cap in caps}):
            taken[cap] = {}
            for at, recipients in self._by_time(cap, shards).items():
                windows = self._windows(cap, recipients, at)
                ends[cap, at] = list(windows)
                for window, ids in windows.items():
                    taken[cap].setdefault(window.start, []).extend(ids)
            if taken[cap]:
                campaign = self.campaign
                over[cap] = places.take_for_campaign(campaign.tenant_id, campaign.pk, cap, taken[cap])
        if len(over) > 1 and any(over.values()):
            self._give_back_halves(shards, over, taken)
        return [self._of_shard(shard, over, ends) for shard in shards]

    def _by_time(self, cap: Cap, shards: Sequence[Recipients]) -> dict[datetime, set[str]]:
        """When messages leave -> the recipients of those that the cap holds."""
        by_time: dict[datetime, set[str]] = {}
        for shard in shards:
            if cap in self.caps.get(shard.channel, ()):
                by_time.setdefault(shard.leaves_at, set()).update(shard.ids)
        return by_time

    def _windows(self, cap: Cap, recipients: set[str], at: datetime) -> dict[Window, list[str]]:
        """The window of each recipient: most share one."""
        zones, tenant_zone = self.zones, self.campaign.tenant.timezone
        by_zone: dict[str, list[str]] = {}
        for recipient in recipients:
            by_zone.setdefault(zones.get(recipient, tenant_zone), []).append(recipient)
        windows: dict[Window, list[str]] = {}
        for zone, ids in by_zone.items():
            windows.setdefault(window_at(cap.period, zone, at), []).extend(ids)
        return windows

    def _of_shard(
        self, shard: Recipients, over: dict[Cap, set[str]], ends: dict[tuple[Cap, datetime], list[Window]]
    ) -> ShardPlaces:
        caps = self.caps.get(shard.channel, [])
        if not caps:
            return NO_PLACES
        windows = [window for cap in caps for window in ends[cap, shard.leaves_at]]
        span = [max(w.start for w in windows).timestamp(), min(w.end for w in windows).timestamp()]
        without = set().union(*(over[cap] for cap in caps))
        return ShardPlaces([i for i, r in enumerate(shard.ids) if r in without] if without else [], span)

    def _give_back_halves(
        self, shards: Sequence[Recipients], over: dict[Cap, set[str]], taken: dict[Cap, dict[datetime, list[str]]]
    ) -> None:
        """Give back the places of recipients none of whose messages may leave now, because another cap is full."""
        needed: dict[Cap, set[str]] = {cap: set() for cap in over}
        for shard in shards:
            caps = self.caps.get(shard.channel, [])
            without = set().union(*(over[cap] for cap in caps))
            for cap in caps:
                needed[cap].update(recipient for recipient in shard.ids if recipient not in without)
        for cap, windows in taken.items():
            keep = needed[cap] | over[cap]
            unneeded = {start: [r for r in ids if r not in keep] for start, ids in windows.items()}
            if any(unneeded.values()):
                places.give_back_some(self.campaign.tenant_id, self.campaign.pk, cap, unneeded)
