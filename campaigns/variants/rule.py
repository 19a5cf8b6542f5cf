"""The rule that chooses the winner: one look, at a time that was fixed before GO.

The sweep calls `decide_due` each second. The look is so long after the last message of the test as the settings say.
The figures of that moment decide, once, however many sweeps run. If they show no winner, the rest gets the default
variant, or waits for a person, as the settings say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Max

from campaigns.audit import OPERATOR
from campaigns.lifecycle.running import winner
from campaigns.models import Campaign, CampaignVariant, Experiment, Metric, Otherwise, Shard
from campaigns.variants.counting import count_variants
from campaigns.variants.statistics import compare, winner_of
from notifier.delivery.engagement import apply as engagement
from notifier.delivery.ledger.campaigns.campaign_variants import PartCounts
from notifier.vocabulary.load import Work
from tenants.load_shedding import may_run


@dataclass(frozen=True)
class Verdict:
    """What the rule decides: the winner, or empty and why there is none."""

    winner: str
    why: str = ""


def look_at(campaign: Campaign, experiment: Experiment) -> datetime | None:
    """When the rule looks; None while the test still leaves, or its outcomes are not in the ledger yet."""
    shards = Shard.objects.filter(campaign=campaign).exclude(variant="")
    if shards.filter(accounted=False).exists():
        return None
    last = shards.aggregate(last=Max("ended_at"))["last"]
    return None if last is None else last + timedelta(minutes=experiment.after_minutes)


def events_of(metric: str, counts: PartCounts) -> int:
    """How many of the people did what the rule compares."""
    return int(getattr(counts, metric))


def judge(experiment: Experiment, counts: Mapping[str, PartCounts]) -> Verdict:
    """What these counts of the variants show. Pure."""
    small = [key for key, each in sorted(counts.items()) if each.reached < experiment.min_sample]
    if small:
        reached = ", ".join(f"{key} {counts[key].reached:,}" for key in small)
        return Verdict("", f"Too few people for the minimum of {experiment.min_sample:,} each: {reached}.")
    metric = experiment.metric
    comparison = compare({key: (events_of(metric, each), each.reached) for key, each in counts.items()})
    key = winner_of(comparison, lowest=metric == Metric.UNSUBSCRIBED)
    return Verdict(key, "" if key else f"No variant is better than every other by what this number of people shows "
                                       f"({metric}).")  # fmt: skip


# campaigns whose look may have come: the test left long enough ago, by the time of the launch
_LAUNCHED_BEFORE = """
SELECT e.id FROM campaigns_experiment e JOIN campaigns_campaign c ON c.id = e.campaign_id
WHERE e.choice = 'rule' AND e.winner = '' AND e.looked_at IS NULL AND c.state = 'running'
  AND e.test_percent + e.holdout_percent < 100
  AND c.launched_at + e.after_minutes * interval '1 minute' <= %s
"""


def decide_due(now: datetime) -> None:
    """Look at each test whose time has come. The sweep calls this. No test is decided while load is shed, because opens
    and clicks are not applied then."""
    if not may_run(Work.ANALYTICS):
        return
    with connection.cursor() as cursor:
        cursor.execute(_LAUNCHED_BEFORE, [now])
        ids = [row[0] for row in cursor.fetchall()]
    if ids and engagement.is_behind():
        return
    for experiment in Experiment.objects.filter(pk__in=ids).select_related("campaign"):
        at = look_at(experiment.campaign, experiment)
        if at is not None and at <= now:
            decide_by_rule(experiment.campaign, experiment, now)


def decide_by_rule(campaign: Campaign, experiment: Experiment, now: datetime) -> None:
    """Look, and write what the rule decides. When several sweeps try, one succeeds."""
    variants = list(CampaignVariant.objects.filter(campaign=campaign))
    counts = count_variants(campaign, experiment, variants)
    verdict = judge(experiment, {each.key: counts[each.key] for each in variants})
    detail = {"chosen": "rule", "metric": experiment.metric}
    if verdict.winner:
        winner.decide(campaign, experiment, verdict.winner, OPERATOR, detail, now)
    elif experiment.otherwise == Otherwise.DEFAULT:
        why = {**detail, "chosen": "default", "why": verdict.why}
        winner.decide(campaign, experiment, experiment.default_key, OPERATOR, why, now)
    else:
        winner.note_undecided(campaign, experiment, verdict.why, now)
