"""A campaign and its tenant's quotas: GO takes what all of its messages need; a stop gives back what never began."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Sum

from campaigns.arming.planning.variants import experiment_of
from campaigns.models import Campaign, Shard
from campaigns.states import State
from notifier.delivery.quotas import campaigns as quotas
from notifier.delivery.quotas.counting import Use
from notifier.vocabulary.status import Mode


def is_counted(campaign: Campaign) -> bool:
    """A test or silent campaign reaches no recipient."""
    return bool(campaign.tenant.quotas) and campaign.mode == Mode.LIVE and not campaign.silent


def messages_of(campaign: Campaign) -> dict[str, int]:
    """channel -> messages that the campaign will send. People who wait for the winner of an A/B test count on each
    channel, because nobody knows yet which of them have an address there."""
    sizes = Shard.objects.filter(campaign=campaign).values("channel").annotate(total=Sum("size"))
    messages = {row["channel"]: int(row["total"]) for row in sizes}
    experiment = experiment_of(campaign)
    if experiment is not None and experiment.waiting:
        messages = {name: messages.get(name, 0) + experiment.waiting for name in campaign.channels}
    return messages


def full_quotas(campaign: Campaign, now: datetime) -> list[Use]:
    """The quotas that GO would refuse for."""
    return quotas.full_quotas(campaign.tenant, messages_of(campaign), now) if is_counted(campaign) else []


def reserve(campaign: Campaign, now: datetime) -> None:
    """At GO, in its transaction. Raises QuotaExceeded."""
    if is_counted(campaign):
        taken = quotas.reserve(campaign.tenant, messages_of(campaign), now)
        Campaign.objects.filter(pk=campaign.pk).update(reserved=taken)


def give_back_all(campaign: Campaign) -> None:
    """After GO was taken back. In the transaction of the move, which one caller makes."""
    if campaign.reserved:
        quotas.give_back(campaign.tenant_id, campaign.reserved)
        Campaign.objects.filter(pk=campaign.pk).update(reserved=[])


def give_back_unsent(campaign: Campaign) -> None:
    """After a campaign was accounted for, in the transaction that closes it, which one caller makes: what never began
    because of a stop, or because people waited for the winner of an A/B test. Once: a retry of what failed lets the
    campaign be closed again."""
    if campaign.reserved and (campaign.state == State.CANCELLED or experiment_of(campaign) is not None):
        rows = Shard.objects.filter(campaign=campaign).values("channel").annotate(total=Sum("begun"))
        quotas.give_back(campaign.tenant_id, campaign.reserved, {row["channel"]: int(row["total"]) for row in rows})
        Campaign.objects.filter(pk=campaign.pk).update(reserved=[])
