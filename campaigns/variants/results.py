"""The results of an A/B test: what the people of each variant did, and what the figures show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from campaigns.arming.planning.assignment import REST
from campaigns.arming.planning.variants import rest_waits
from campaigns.models import Campaign, CampaignVariant, Experiment, Metric, Otherwise
from campaigns.variants import stored
from campaigns.variants.rule import events_of, look_at
from campaigns.variants.sentences import describe, peeking
from campaigns.variants.statistics import Comparison, Rate, compare
from notifier.delivery.ledger.campaigns.campaign_variants import PartCounts
from notifier.vocabulary.content import Tracking


@dataclass(frozen=True)
class VariantResult:
    """One variant: its version, and its people. `rates`: by metric."""

    key: str
    template: str
    template_name: str
    version: int | None
    weight: int
    counts: PartCounts
    rates: dict[str, Rate]


@dataclass
class TestResults:
    """The whole test. `rest`: the people who got the winner; `waits`: whether they still wait for it."""

    __test__ = False

    experiment: Experiment
    variants: list[VariantResult]
    waits: bool
    rest: PartCounts | None = None
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    sentences: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    looks_at: datetime | None = None
    counted_at: datetime | None = None
    peeking: str = ""

    @property
    def waiting(self) -> int:
        """People who wait for the winner."""
        return self.experiment.waiting if self.waits else 0


def results(campaign: Campaign) -> TestResults:
    """Raises Experiment.DoesNotExist for a campaign without variants."""
    experiment = Experiment.objects.get(campaign=campaign)
    rows = CampaignVariant.objects.filter(campaign=campaign).select_related("template", "version")
    variants = list(rows)
    counts, counted_at = stored.counts_of(campaign, experiment, variants)
    of_variants = {each.key: counts[each.key] for each in variants}
    comparisons = {metric: _compare(metric, of_variants) for metric in Metric.values}
    report = TestResults(
        experiment,
        [
            VariantResult(
                each.key,
                each.template.key,
                each.template.name,
                each.version.number if each.version is not None else each.number,
                each.weight,
                counts[each.key],
                {metric: comparison.rates[each.key] for metric, comparison in comparisons.items()},
            )
            for each in variants
        ],
        rest_waits(campaign, experiment),
        rest=counts.get(REST),
        comparisons=comparisons,
        sentences={metric: describe(metric, comparison) for metric, comparison in comparisons.items()},
        notes=_notes(campaign, experiment),
        counted_at=counted_at,
        peeking=peeking(),
    )
    if report.waits and experiment.choice == "rule" and experiment.looked_at is None:
        report.looks_at = look_at(campaign, experiment)
    return report


def _compare(metric: str, counts: Mapping[str, PartCounts]) -> Comparison:
    return compare({key: (events_of(metric, each), each.reached) for key, each in counts.items()})


def _notes(campaign: Campaign, experiment: Experiment) -> list[str]:
    """What a reader must know about these figures."""
    notes = []
    if "email" in campaign.channels and campaign.tenant.tracking != Tracking.ON:
        notes.append(
            _(
                "Opens and clicks of emails are not recorded by person (the tenant's setting “tracking”), so that they "
                "do not count here."
            )
        )
    if experiment.undecided:
        notes.append(experiment.undecided)
    return notes


def state_sentence(report: TestResults) -> str:
    """Where the test stands, in one sentence."""
    experiment = report.experiment
    if not experiment.has_rest:
        return _("The whole audience is in the test, so that nobody waits for a winner.")
    if experiment.winner:
        how = {
            "hand": _("Variant %(key)s was chosen by a person."),
            "rule": _("Variant %(key)s was chosen by the rule."),
            "default": _("The figures showed no winner, so that the rule sent the default variant %(key)s."),
        }
        return how.get(experiment.chosen, how["hand"]) % {"key": experiment.winner}
    if not report.waits:
        return _("No winner was chosen before the campaign ended: the rest got nothing.")
    if experiment.choice == "rule" and experiment.looked_at is None:
        what = (
            _("the rest then gets the default variant %(key)s") % {"key": experiment.default_key}
            if experiment.otherwise == Otherwise.DEFAULT
            else _("the rest then waits for a person")
        )
        return _("The rule looks once; if it finds no winner, %(what)s.") % {"what": what}
    return _("The rest waits until a person chooses the winner.")


def as_json(report: TestResults) -> dict[str, Any]:
    """The API's answer."""
    experiment = report.experiment
    return {
        "winner": experiment.winner,
        "chosen": experiment.chosen,
        "decided_at": experiment.decided_at,
        "looks_at": report.looks_at,
        "looked_at": experiment.looked_at,
        "undecided": experiment.undecided,
        "waiting": report.waiting,
        "held_out": experiment.held_out,
        "counted_at": report.counted_at,
        "variants": [_variant_json(each) for each in report.variants],
        "rest": _counts_json(report.rest) if report.rest is not None else None,
        "differences": {metric: _differences_json(each) for metric, each in report.comparisons.items()},
        "sentences": report.sentences,
        "notes": [*report.notes, report.peeking],
    }


def _variant_json(variant: VariantResult) -> dict[str, Any]:
    counts = _counts_json(variant.counts)
    rates = {
        metric: {"rate": rate.value, "low": rate.interval.low, "high": rate.interval.high}
        for metric, rate in variant.rates.items()
    }
    names = {"variant": variant.key, "template": variant.template, "version": variant.version}
    return {**names, **counts, "rates": rates}


def _differences_json(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "higher": each.better,
            "lower": each.other,
            "difference": each.value,
            "low": each.interval.low,
            "high": each.interval.high,
            "shown": each.is_shown,
        }
        for each in comparison.differences
    ]


def _counts_json(counts: PartCounts) -> dict[str, int]:
    return {name: value for name, value in counts._asdict().items() if name != "part"}
