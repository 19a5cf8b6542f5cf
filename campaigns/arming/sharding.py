"""Cut a slice's messages into shards, and pack what each of them carries."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from operator import itemgetter

from django.conf import settings

from campaigns.arming.planning import CampaignPlanner, Message, RangePlan
from campaigns.models import Campaign, Shard
from campaigns.shard import payload
from notifier.delivery.content.templates import PartlyRendered
from notifier.delivery.infra import bulk
from notifier.models import ProviderAccount

#: shard numbers that each slice may use
NUMBERS_PER_RANGE = 10_000
#: of the golden ratio: its multiples spread evenly over [0, 1), whichever of them are looked at
_SPREAD = 0.618034


@dataclass(frozen=True)
class ShardDraft:
    """What becomes one shard."""

    channel: str
    platform: str
    account: ProviderAccount
    canary: bool
    messages: list[Message]


def draft_shards(planner: CampaignPlanner, planning: RangePlan, range_number: int) -> list[ShardDraft]:
    """Shards of even size, each with an account of its own choice; the canary's messages are in shards apart."""
    cuts: list[ShardDraft] = []
    for (channel, platform), messages in planning.messages.items():
        # in the order of the ids, which are as good as random: each shard has a narrow range of the ledger's key
        messages.sort(key=itemgetter(0))
        first = canary_count(planner.campaign.canary_percent, len(messages), range_number)
        for canary, some in ((True, messages[:first]), (False, messages[first:])):
            for part in _evenly(some, settings.SHARD_SIZE):
                account = planner.account(channel, platform) or planning.accounts[channel, platform]
                assert account is not None
                cuts.append(ShardDraft(channel, platform, account, canary, part))
    return cuts


def canary_count(percent: int, messages: int, range_number: int) -> int:
    """How many of a slice's messages go first. Fractions add up over the slices; the first slice rounds down, so that
    a campaign of which the share is less than one message has none."""
    return min(messages, int(messages * percent / 100 + range_number * _SPREAD % 1)) if percent else 0


def _evenly(messages: list[Message], size: int) -> Iterator[list[Message]]:
    parts = -(-len(messages) // size)
    for n in range(parts):
        yield messages[len(messages) * n // parts : len(messages) * (n + 1) // parts]


_PAYLOADS = """
INSERT INTO campaigns_shardpayload (shard_id, tenant_id, rows, outcomes, delays, notes)
SELECT shard_id, %b, rows, '', '', '' FROM unnest(%b::uuid[], %b::bytea[]) p (shard_id, rows)
"""


def store_shards(campaign: Campaign, cuts: list[ShardDraft], range_number: int) -> None:
    """Write the shards and their payloads."""
    if not cuts:
        return
    shards = [
        Shard(
            tenant_id=campaign.tenant_id,
            campaign_id=campaign.pk,
            number=range_number * NUMBERS_PER_RANGE + n,
            channel=draft.channel,
            account_id=draft.account.pk,
            size=len(draft.messages),
            canary=draft.canary,
        )
        for n, draft in enumerate(cuts)
    ]
    Shard.objects.bulk_create(shards)
    with bulk.cursor() as cursor:
        packed = [payload.pack(payload_of(draft)) for draft in cuts]
        cursor.execute(_PAYLOADS, [campaign.tenant_id, [s.pk for s in shards], packed])


def payload_of(draft: ShardDraft) -> payload.Payload:
    """The payload of one shard."""
    ids, recipients, addresses, devices, forms, texts, quiet = zip(*draft.messages, strict=True)
    listed = list(dict.fromkeys(forms))
    number = {form: n for n, form in enumerate(listed)}
    listed_hours = list(dict.fromkeys(filter(None, quiet)))
    numbered = {hours: n for n, hours in enumerate(listed_hours)}
    return payload.Payload(
        platform=draft.platform,
        ids="".join(ids),
        recipients="".join(recipients),
        devices="".join([d or payload.NO_DEVICE for d in devices]),
        addresses=list(addresses),
        contents=[form.parts for form in listed],
        content_index=[number[form] for form in forms],
        personal_texts=_values(listed, forms, texts),
        quiet_hours=listed_hours,
        quiet_index={i: numbered[hours] for i, hours in enumerate(quiet) if hours},
    )


def _values(
    listed: list[PartlyRendered], forms: Collection[PartlyRendered], texts: Collection[tuple[str, ...]]
) -> dict[str, list[str]]:
    names = [[part for part, _ in form.personal] for form in listed]
    if all(own == names[0] for own in names):
        return dict(zip(names[0], map(list, zip(*texts, strict=True)), strict=True))
    values = {part: [""] * len(forms) for own in names for part in own}
    for i, (form, own) in enumerate(zip(forms, texts, strict=True)):
        for (part, _), text in zip(form.personal, own, strict=True):
            values[part][i] = text
    return values
