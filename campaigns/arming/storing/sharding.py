"""Split a range's messages into shards, and pack the payload of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter

from django.conf import settings

from campaigns.arming.planning.caps import NO_PLACES, PlaceTaker, Recipients, ShardPlaces
from campaigns.arming.planning.planner import CampaignPlanner, Message, RangePlan, Route
from campaigns.arming.storing.prepared import prepared_bodies
from campaigns.models import Campaign, Shard
from campaigns.shard import payload
from notifier.channels import channel
from notifier.delivery.content.partly_rendered import PartlyRendered
from notifier.delivery.infra import bulk
from notifier.models import ProviderAccount

#: shard numbers that each range may use
NUMBERS_PER_RANGE = 10_000
#: the golden ratio's fraction: its multiples spread evenly over [0, 1), whichever of them are taken
_SPREAD = 0.618034


@dataclass(frozen=True)
class ShardDraft:
    """The messages of one shard, before the shard is stored."""

    channel: str
    platform: str
    account: ProviderAccount
    canary: bool
    messages: list[Message]
    not_before: datetime | None = None
    places: ShardPlaces = NO_PLACES
    variant: str = ""


def draft_shards(planner: CampaignPlanner, range_plan: RangePlan, range_number: int) -> list[ShardDraft]:
    """Shards of even size, each with an account chosen for it. The canary's messages are in shards of their own."""
    drafts: list[ShardDraft] = []
    canaries = canary_counts(
        {route: len(messages) for route, messages in range_plan.messages.items()},
        # the canary of an A/B test is of its test: the rest leaves hours after it
        0 if planner.phase == "rest" else planner.campaign.canary_percent,
        range_number,
    )
    for route, messages in range_plan.messages.items():
        # in the order of the ids, which are as good as random: each shard has a narrow range of the ledger's key
        messages.sort(key=itemgetter(0))
        first = canaries[route]
        for canary, group in ((True, messages[:first]), (False, messages[first:])):
            for part in _split_evenly(group, settings.SHARD_SIZE):
                account = planner.account(route) or range_plan.accounts[route]
                assert account is not None
                draft = ShardDraft(route.channel, route.platform, account, canary, part, route.not_before)
                drafts.append(replace(draft, variant=route.variant) if route.variant else draft)
    return drafts


def with_places(planner: CampaignPlanner, range_plan: RangePlan, drafts: list[ShardDraft]) -> list[ShardDraft]:
    """The drafts with the places that their messages took in the windows of frequency caps: each wave in the windows of
    its own time."""
    if not planner.caps:
        return drafts
    leaves_at = _leaves_at(planner.campaign)
    shards = [
        Recipients(draft.channel, [m.recipient for m in draft.messages], max(leaves_at, draft.not_before or leaves_at))
        for draft in drafts
    ]
    taken = PlaceTaker(planner.campaign, planner.caps, range_plan.zones).take_places(shards)
    return [replace(draft, places=places) for draft, places in zip(drafts, taken, strict=True)]


def _leaves_at(campaign: Campaign) -> datetime:
    """When the messages leave, as far as it is known: at the planned launch, else soon."""
    now = datetime.now(UTC)
    return max(now, campaign.launch_at) if campaign.launch_at is not None else now


def canary_counts(sizes: Mapping[Route, int], percent: int, range_number: int) -> dict[Route, int]:
    """How many messages of each route are the canary. Of a campaign in waves the canary is a share of all waves and
    leaves with the earliest, so that the later waves need not wait for its result: the routes of `sizes` come in the
    order of their waves."""
    totals: Counter[Route] = Counter()
    for route, size in sizes.items():
        totals[route._replace(not_before=None)] += size
    left = {route: canary_count(percent, total, range_number) for route, total in totals.items()}
    counts: dict[Route, int] = {}
    for route, size in sizes.items():
        of_all_waves = route._replace(not_before=None)
        counts[route] = min(size, left[of_all_waves])
        left[of_all_waves] -= counts[route]
    return counts


def canary_count(percent: int, messages: int, range_number: int) -> int:
    """How many of a range's messages are the canary. Fractions add up over the ranges; the first range rounds down, so
    that a campaign has no canary when the canary's share is less than one message."""
    return min(messages, int(messages * percent / 100 + range_number * _SPREAD % 1)) if percent else 0


def _split_evenly(messages: list[Message], size: int) -> Iterator[list[Message]]:
    parts = -(-len(messages) // size)
    for n in range(parts):
        yield messages[len(messages) * n // parts : len(messages) * (n + 1) // parts]


_PAYLOADS = """
INSERT INTO campaigns_shardpayload (shard_id, tenant_id, rows, outcomes, delays, notes)
SELECT shard_id, %b, rows, '', '', '' FROM unnest(%b::uuid[], %b::bytea[]) p (shard_id, rows)
"""


def first_number(planner: CampaignPlanner, range_number: int) -> int:
    """The number of a range's first shard. The rest of an A/B test has the second half of the range's numbers."""
    return range_number * NUMBERS_PER_RANGE + (NUMBERS_PER_RANGE // 2 if planner.phase == "rest" else 0)


def store_shards(campaign: Campaign, drafts: list[ShardDraft], first: int) -> list[Shard]:
    """Write the shards, from the number `first` on, and their payloads."""
    if not drafts:
        return []
    payloads = [payload_of(draft) for draft in drafts]
    for draft, messages in zip(drafts, payloads, strict=True):
        messages.prepared = prepared_bodies(campaign, draft.account, draft.channel, messages)
    shards = [
        Shard(
            tenant_id=campaign.tenant_id,
            campaign_id=campaign.pk,
            number=first + n,
            channel=draft.channel,
            account_id=draft.account.pk,
            size=len(draft.messages),
            segments=count_segments(draft.channel, messages),
            canary=draft.canary,
            not_before=draft.not_before,
            variant=draft.variant,
        )
        for n, (draft, messages) in enumerate(zip(drafts, payloads, strict=True))
    ]
    Shard.objects.bulk_create(shards)
    with bulk.cursor() as cursor:
        packed = [payload.pack(messages) for messages in payloads]
        cursor.execute(_PAYLOADS, [campaign.tenant_id, [s.pk for s in shards], packed])
    return shards


def count_segments(name: str, messages: payload.Payload) -> int:
    """The segments of all messages of a shard on channel `name`; 0 where the channel has none. 5 µs a message."""
    kind = channel(name)
    return sum(kind.segments(messages.content(i)) for i in range(len(messages))) if kind.segmented else 0


def payload_of(draft: ShardDraft) -> payload.Payload:
    """The payload of one shard."""
    ids, recipients, addresses, devices, forms, texts, hours = zip(*draft.messages, strict=True)
    distinct_forms = list(dict.fromkeys(forms))
    form_index = {form: n for n, form in enumerate(distinct_forms)}
    distinct_hours = list(dict.fromkeys(filter(None, hours)))
    hours_index = {closed_hours: n for n, closed_hours in enumerate(distinct_hours)}
    return payload.Payload(
        platform=draft.platform,
        ids="".join(ids),
        recipients="".join(recipients),
        devices="".join([d or payload.NO_DEVICE for d in devices]),
        addresses=list(addresses),
        contents=[form.shared for form in distinct_forms],
        content_index=[form_index[form] for form in forms],
        personal_texts=_personal_texts(distinct_forms, forms, texts),
        closed_hours=distinct_hours,
        closed_index={i: hours_index[closed_hours] for i, closed_hours in enumerate(hours) if closed_hours},
        over_cap=draft.places.over_cap,
        cap_window=draft.places.window,
    )


def _personal_texts(
    distinct_forms: list[PartlyRendered], forms: Collection[PartlyRendered], texts: Collection[tuple[str, ...]]
) -> dict[str, list[str]]:
    if all(form.columns == distinct_forms[0].columns for form in distinct_forms):
        return dict(zip(distinct_forms[0].columns, map(list, zip(*texts, strict=True)), strict=True))
    columns = {column: [""] * len(forms) for form in distinct_forms for column in form.columns}
    for i, (form, own_texts) in enumerate(zip(forms, texts, strict=True)):
        for column, text in zip(form.columns, own_texts, strict=True):
            columns[column][i] = text
    return columns
