"""The winner of an A/B test: chosen once, by a person or by the rule (campaigns.variants.rule). One conditional UPDATE;
the rest of the audience is armed from the winner's version and leaves."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from campaigns.audit import OPERATOR, Act, Actor, record
from campaigns.lifecycle.transition import find_campaign
from campaigns.models import AudienceRange, Campaign, CampaignVariant, Experiment
from campaigns.states import State
from notifier.channels.queues import BATCH
from notifier.errors import Conflict, InvalidInput
from notifier.tasks import post

#: states in which the winner can be chosen
_DECIDABLE = (State.RUNNING, State.PAUSED)
_WAITS = Q(winner="", campaign__state__in=_DECIDABLE)


def choose_winner(tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, variant: str, by: Actor = OPERATOR) -> bool:
    """Choose the winner; the rest of the audience gets it. True for the one caller that chose it, False for a repeat
    with the same variant. Raises NotFound, InvalidInput for a variant that the campaign has not, or Conflict: another
    winner was chosen, the campaign does not run, or its not_after has passed."""
    campaign = find_campaign(tenant_id, campaign_id)
    experiment = Experiment.objects.filter(campaign=campaign).first()
    if experiment is None:
        raise Conflict("This campaign has no variants, so there is no winner to choose.", code="no_variants")
    keys = list(CampaignVariant.objects.filter(campaign=campaign).values_list("key", flat=True))
    if variant not in keys:
        raise InvalidInput(f"Must be one of the campaign's variants: {', '.join(keys)}.", field="variant")
    if not experiment.has_rest:
        raise Conflict(
            "The whole audience is in the test, so no one waits for a winner. For the next campaign, choose the "
            "template of the better variant.",
            code="no_rest",
        )
    if not experiment.winner and campaign.not_after is not None and campaign.not_after <= datetime.now(UTC):
        raise Conflict(
            "The time until which messages may leave (not_after) has passed: the rest gets nothing.", code="too_late"
        )
    if decide(campaign, experiment, variant, by, {"chosen": "hand"}):
        return True
    campaign.refresh_from_db(fields=["state"])
    experiment.refresh_from_db(fields=["winner"])
    if experiment.winner == variant:
        return False
    if experiment.winner:
        raise Conflict(f"Variant {experiment.winner} was chosen already, and leaves.", code="winner_chosen")
    raise Conflict(
        f"The winner is chosen while the campaign runs; this one is {campaign.state}.", code="winner_not_choosable"
    )


def decide(
    campaign: Campaign,
    experiment: Experiment,
    variant: str,
    by: Actor,
    detail: Mapping[str, Any],
    looked_at: datetime | None = None,
) -> bool:
    """Write the winner. True for the one caller that wrote it. `looked_at`: of the rule; `detail`: "chosen" is hand,
    rule or default (the rule found no winner), "why" of the default."""
    columns: dict[str, Any] = {"winner": variant, "decided_by": by.user, "chosen": detail["chosen"]}
    if looked_at is not None:
        columns |= {"looked_at": looked_at, "undecided": str(detail.get("why", ""))[:500]}
    with transaction.atomic():
        # locks the campaign first, as a stop does: the rest of a stopped campaign does not leave
        Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
        now = datetime.now(UTC)
        if not Experiment.objects.filter(_WAITS, pk=experiment.pk).update(**columns, arming_rest=True, decided_at=now):
            return False
        # an edit of limits does not raise the revision; workers that died of the test's arming count no more
        Campaign.objects.filter(pk=campaign.pk).update(attempts=0)
        record(campaign, Act.CHOOSE_WINNER, by, variant=variant, **detail)
        transaction.on_commit(lambda: post("campaigns.arm", str(campaign.pk), queue=BATCH))
    return True


def note_undecided(campaign: Campaign, experiment: Experiment, why: str, now: datetime) -> bool:
    """The rule found no winner, and a person decides. True for the one caller that noted it."""
    with transaction.atomic():
        waiting = Experiment.objects.filter(_WAITS, pk=experiment.pk, looked_at__isnull=True)
        if not waiting.update(looked_at=now, undecided=why[:500]):
            return False
        record(campaign, Act.UNDECIDED, OPERATOR, why=why[:500])
    return True


def close_late(now: datetime) -> None:
    """Let campaigns end whose rest cannot leave any more, because their not_after has passed and there is no winner.
    The sweep calls this."""
    late = Experiment.objects.filter(_WAITS, campaign__not_after__lte=now)
    waiting = late.filter(campaign__in=AudienceRange.objects.filter(rest=True).values("campaign"))
    for experiment in waiting.select_related("campaign"):
        why = "No winner was chosen before not_after: the rest got nothing."
        with transaction.atomic():
            Campaign.objects.select_for_update(of=("self",)).get(pk=experiment.campaign_id)
            same = Experiment.objects.filter(_WAITS, pk=experiment.pk)
            if same.update(undecided=why, looked_at=Coalesce(F("looked_at"), Value(now))):
                AudienceRange.objects.filter(campaign=experiment.campaign_id).delete()
                record(experiment.campaign, Act.UNDECIDED, OPERATOR, why=why)
