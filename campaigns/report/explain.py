"""Why a recipient did or did not get a campaign's message: the audience, the ledger's rows, and the rules as of now.

`campaigns.api.explain` and the admin call. Stores nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from campaigns.arming import delivery_id_range
from campaigns.arming.ids import delivery_ids
from campaigns.arming.planning.assignment import HOLDOUT, REST
from campaigns.arming.planning.variants import experiment_of, part_of, rest_waits
from campaigns.audience import contains, is_kept
from campaigns.category import category_rule_of
from campaigns.models import Audience, Campaign
from campaigns.states import State
from notifier.channels import channel
from notifier.delivery.explain import DeliveryExplanation, Explanation, Subject, describe_decision, explain
from notifier.delivery.planning import recipients
from notifier.delivery.planning.choices import Change, load_changes
from notifier.delivery.planning.trace import PASSED, RuleResult
from notifier.models import Delivery
from notifier.values.timestamps import utc_minute
from notifier.vocabulary.people import Person
from notifier.vocabulary.status import Mode, Reason
from tenants.models import Recipient

#: the names of the lines about the audience
AUDIENCE, ARMED, AB_TEST = "audience", "armed", "ab_test"


@dataclass(frozen=True)
class CampaignExplanation:
    """The lines about the audience and arming; the recipient's messages in the ledger; consent changes since arming;
    and the decision as it would be made now."""

    audience: list[RuleResult]
    deliveries: list[DeliveryExplanation]
    changes: list[Change]
    now: Explanation


def explain_recipient(campaign: Campaign, recipient: Recipient, now: datetime) -> CampaignExplanation:
    """The recipient is one of the campaign's tenant."""
    person = recipients.load_by_ids(campaign.tenant_id, [recipient.pk])[recipient.pk]
    deliveries = _deliveries(campaign, recipient)
    subject = Subject(campaign.tenant, person, category_rule_of(campaign), campaign.channels, Mode(campaign.mode))
    since = campaign.armed_at
    return CampaignExplanation(
        [*_audience_lines(campaign, recipient), *_armed_lines(campaign, recipient, person, deliveries)],
        [DeliveryExplanation(delivery, describe_decision(delivery)) for delivery in deliveries],
        [] if since is None else load_changes(campaign.tenant_id, recipient.pk, since),
        explain(subject, now),
    )


def _deliveries(campaign: Campaign, recipient: Recipient) -> list[Delivery]:
    """The recipient's rows of the campaign, by the index on the recipient."""
    if campaign.first_armed_ms is None:
        return []
    low, high = delivery_id_range(campaign)
    rows = Delivery.objects.filter(recipient_id=recipient.pk, campaign_id=campaign.pk, pk__gte=low, pk__lt=high)
    return sorted(rows, key=lambda delivery: (delivery.channel, delivery.pk))


def _audience_lines(campaign: Campaign, recipient: Recipient) -> Iterator[RuleResult]:
    audience = campaign.audience
    if audience is None:
        yield RuleResult(AUDIENCE, "the campaign has no audience yet", "nobody gets it")
    elif audience.is_topic:
        yield RuleResult(AUDIENCE, f"the topic {audience.topic}", "the provider decides which devices get it")
    else:
        described = f"{Audience.Source(audience.source).label.partition(':')[0].lower()} {audience.name}, as it is now"
        said = PASSED if contains(audience, recipient) else "left out: the recipient is not in the audience"
        if not is_kept(audience):
            said = "not known any more: the segment asks for messages that are deleted"
        yield RuleResult(AUDIENCE, described, said)


def _armed_lines(
    campaign: Campaign, recipient: Recipient, person: Person, deliveries: list[Delivery]
) -> Iterator[RuleResult]:
    armed_at = campaign.armed_at
    if armed_at is None or campaign.state in (State.DRAFT, State.ARMING):
        yield RuleResult(ARMED, f"the campaign is {campaign.state}", "not decided yet: the rules below are as of now")
        return
    looked_at = f"the audience as it was on {utc_minute(armed_at)}"
    part, experiment = part_of(campaign, recipient.pk), experiment_of(campaign)
    if experiment is not None:
        said = _part(part, experiment.winner, waits=rest_waits(campaign, experiment))
        yield RuleResult(AB_TEST, "the part of the A/B test, by the ids of campaign and recipient", said)
        if not deliveries and part == REST and not experiment.winner:
            return
    if deliveries:
        yield RuleResult(ARMED, looked_at, f"{len(deliveries)} rows of this recipient were stored")
        return
    if recipient.created_at > armed_at:
        joined = f"the recipient was added on {utc_minute(recipient.created_at)}"
        yield RuleResult(ARMED, f"{looked_at}; {joined}", "left out: the recipient came after the campaign was armed")
        return
    duplicates = _channels_of_duplicates(campaign, person)
    if duplicates:
        yield RuleResult(
            Reason.DUPLICATE_ADDRESS,
            f"messages at this recipient's addresses: {', '.join(duplicates)}",
            "left out: another recipient of the campaign has the same address, and an address gets one message",
        )
        return
    yield RuleResult(ARMED, looked_at, "left out: the recipient was not in the audience then")


def _part(part: str, winner: str, *, waits: bool) -> str:
    if part == HOLDOUT:
        return "left out: held out of the test"
    if part != REST:
        return f"variant {part}"
    if winner:
        return f"the rest, which got the winner: variant {winner}"
    if waits:
        return "the rest, which waits for the winner"
    return "left out: the rest, which got nothing, because no winner was chosen before the campaign ended"


def _channels_of_duplicates(campaign: Campaign, person: Person) -> list[str]:
    """The channels on which another recipient got the message at one of this recipient's addresses."""
    assert campaign.first_armed_ms is not None
    ids = {
        uuid.UUID(delivery_ids(campaign.first_armed_ms, campaign.pk, name)(address.value))
        for name in campaign.channels
        for address in channel(name).addresses(person)
    }
    rows = Delivery.objects.filter(pk__in=ids, campaign_id=campaign.pk).exclude(recipient_id=person.id)
    return sorted(set(rows.values_list("channel", flat=True)))
