"""Arm a campaign with an A/B test: first the test, each variant from its own version; when the winner is chosen, the
rest from the winner's.

`planner_for` gives the planner of either phase; a campaign without variants gets the plain one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from django.db.models import F, Sum

from campaigns.arming.limits import LIMITS, ArmingLimits
from campaigns.arming.planning.assignment import HOLDOUT, REST, Parts, parts_of, slot_finder
from campaigns.arming.planning.planner import CampaignPlanner, RangePlan, keep_one_per_address
from campaigns.arming.planning.waves import LocalClock
from campaigns.models import Campaign, CampaignVariant, Experiment, Passed, Shard
from campaigns.states import ENDED, State
from notifier.delivery.content import templates
from notifier.delivery.planning.plan import Planned, Suppressed, plan
from notifier.errors import InvalidInput
from notifier.models import TemplateVersion
from notifier.vocabulary.people import Person
from notifier.vocabulary.status import Reason

#: after GO what is armed is the rest
RUNS = (State.RUNNING, State.PAUSED)


def experiment_of(campaign: Campaign) -> Experiment | None:
    """The campaign's A/B test; None for a campaign without one."""
    return Experiment.objects.filter(campaign=campaign).first()


def parts_for(experiment: Experiment, variants: Iterable[CampaignVariant]) -> Parts:
    return parts_of(experiment.holdout_percent, experiment.test_percent, [(each.key, each.weight) for each in variants])


def part_of(campaign: Campaign, recipient_id: uuid.UUID) -> str:
    """The part of the campaign's test that the recipient belongs to: HOLDOUT, a variant's key, or REST; empty for a
    campaign without variants. The settings are those of now, which an armed campaign has frozen."""
    experiment = experiment_of(campaign)
    if experiment is None:
        return ""
    parts = parts_for(experiment, CampaignVariant.objects.filter(campaign=campaign))
    return parts.key_of(slot_finder(campaign.pk)(recipient_id))


def version_for(campaign: Campaign, recipient_id: uuid.UUID) -> uuid.UUID | None:
    """The version that the recipient's messages are made from: the variant's, or the winner's for the rest. The
    campaign's own without variants, and while the rest waits."""
    part = part_of(campaign, recipient_id)
    if part == REST:
        part = Experiment.objects.values_list("winner", flat=True).get(campaign=campaign)
    variant = CampaignVariant.objects.filter(campaign=campaign, key=part).first() if part else None
    return variant.version_id if variant is not None and variant.version_id is not None else campaign.version_id


def rest_waits(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether the rest waits for the winner. Where the campaign ended, or its not_after passed, before a winner was
    chosen, the rest gets nothing."""
    if experiment.winner or not experiment.has_rest or campaign.state in ENDED:
        return False
    return campaign.not_after is None or campaign.not_after > datetime.now(UTC)


def why_nobody_tests(campaign: Campaign) -> str:
    """Why a test of a small audience has nobody; empty for a campaign without one."""
    experiment = experiment_of(campaign)
    if experiment is None or not experiment.waiting + experiment.held_out:
        return ""
    return (
        f"Nobody is in the test: {experiment.test_percent} % of {campaign.processed:,} people. Make the share of the "
        "test larger, or leave the variants out."
    )


def variant_sizes(campaign: Campaign) -> dict[str, int]:
    """Variant -> its armed messages on the channel where it has the most, which are about as many people."""
    rows = Shard.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign).exclude(variant="").order_by()
    sizes: dict[str, int] = {}
    for key, size in rows.values("variant", "channel").annotate(n=Sum("size")).values_list("variant", "n"):
        sizes[key] = max(sizes.get(key, 0), size)
    return sizes


# ---- before arming -------------------------------------------------------------------------------------------------


def freeze_versions(campaign: Campaign) -> None:
    """Store which version each variant is made from. Part of the request to arm: the campaign's row is locked. Raises
    InvalidInput naming the variant."""
    variants = list(CampaignVariant.objects.filter(campaign=campaign).select_related("template__category"))
    if campaign.local_time is not None:
        check_rest_in_time(campaign.passed, experiment_of(campaign), "passed")
    for variant in variants:
        variant.version = version_of(variant)
        check_variant(campaign, variant, variant.version)
    CampaignVariant.objects.bulk_update(variants, ["version"])
    Experiment.objects.filter(campaign=campaign).update(
        waiting=0, held_out=0, winner="", decided_at=None, decided_by=None, chosen="", undecided="", looked_at=None,
        arming_rest=False,
    )  # fmt: skip


def version_of(variant: CampaignVariant) -> TemplateVersion:
    """The version that arming would freeze now. Raises InvalidInput."""
    versions = TemplateVersion.objects.filter(template=variant.template).order_by("-number")
    version = versions.filter(number=variant.number).first() if variant.number is not None else versions.first()
    if version is None:
        which = f"version {variant.number}" if variant.number is not None else "published version"
        raise InvalidInput(
            f"Variant {variant.key}: the template {variant.template.key!r} has no {which}.", field="variants"
        )
    return version


def check_variant(campaign: Campaign, variant: CampaignVariant, version: TemplateVersion) -> None:
    """Raise InvalidInput unless the variant has content for the campaign's channels, and the campaign's category: the
    category decides who may be reached, and the variants must reach the same people."""
    if variant.template.category_id != campaign.template.category_id:
        raise InvalidInput(
            f"Variant {variant.key}: the template {variant.template.key!r} has another category than the campaign's "
            f"template {campaign.template.key!r}. The category decides who may be reached, so the variants would reach "
            "different people. Choose templates of one category.",
            field="variants",
            code="other_category",
        )
    compiled = templates.compiled(version.pk)
    missing = sorted(set(campaign.channels) - set(compiled.channels))
    if missing:
        raise InvalidInput(
            f"Variant {variant.key}: the template {variant.template.key!r} has no content for: {', '.join(missing)}.",
            field="variants",
        )
    if campaign.template.category is not None and campaign.template.category.kind == "marketing":
        compiled.check_opt_out(campaign.channels, variant.template.key, "variants")


def check_rest_in_time(passed: str, experiment: Experiment | None, field: str) -> None:
    """Raise InvalidInput for a campaign at local time whose rest would be left out: the winner is chosen after the test
    has left, and by then the local time is over in each zone of the test."""
    if passed == Passed.LEAVE_OUT and experiment is not None and experiment.has_rest:
        raise InvalidInput(
            "The rest of the A/B test would get nothing: the local time is over when the winner is chosen, and the "
            "campaign leaves out recipients whose time is over. Set passed to next_day, or let the whole audience test "
            "(test_percent).",
            field=field,
            code="rest_left_out",
        )


# ---- planning ------------------------------------------------------------------------------------------------------


def planner_for(campaign: Campaign, limits: ArmingLimits = LIMITS) -> CampaignPlanner:
    """The planner of a campaign's ranges in the phase in which the campaign is."""
    experiment = experiment_of(campaign)
    if experiment is None:
        return CampaignPlanner(campaign, limits)
    variants = list(CampaignVariant.objects.filter(campaign=campaign))
    if campaign.state in RUNS:
        return RestPlanner(campaign, experiment, variants, limits)
    return TestPlanner(campaign, experiment, variants, limits)


class TestPlanner(CampaignPlanner):
    """Plans the test of a range: a planner for each variant. The rest is only counted."""

    #: pytest takes classes of this name for tests
    __test__ = False

    def __init__(
        self,
        campaign: Campaign,
        experiment: Experiment,
        variants: list[CampaignVariant],
        limits: ArmingLimits = LIMITS,
    ) -> None:
        super().__init__(campaign, limits)
        self._experiment, self._parts = experiment, parts_for(experiment, variants)
        self._slot = slot_finder(campaign.pk)
        self.keeps_ranges = experiment.has_rest
        self._planners = {each.key: CampaignPlanner(campaign, limits, each.version_id) for each in variants}

    def plan(self, people: Iterable[Person]) -> RangePlan:
        """The plan for those of these recipients who are in the test or held out."""
        range_plan, began, done = RangePlan(), time.thread_time(), 0
        groups: dict[str, list[Person]] = {key: [] for key in self._parts.keys}
        for person in people:
            groups[self._parts.key_of(self._slot(person.id))].append(person)
        waiting, held_out = groups.pop(REST, []), groups.pop(HOLDOUT, [])
        range_plan.waiting, range_plan.held_out = len(waiting), len(held_out)
        for key, group in groups.items():
            range_plan.variant, range_plan.outboxes = key, {}
            self._planners[key].plan_into(range_plan, group, began, done)
            done += len(group)
        self._hold_out(range_plan, held_out)
        keep_one_per_address(range_plan)
        return range_plan

    def _hold_out(self, range_plan: RangePlan, people: list[Person]) -> None:
        """Suppress the messages that these recipients would have got."""
        range_plan.variant, range_plan.not_before, range_plan.outboxes = "", None, {}
        has_account = self.account_finder(range_plan)
        for person in people:
            for entry in plan(person, self.rule, self.campaign.channels, None, has_account):
                if isinstance(entry, Planned):
                    entry = Suppressed(entry.channel, Reason.HOLDOUT, entry.address)
                self.suppress(range_plan, person, entry)

    def note_counts(self, range_plan: RangePlan) -> None:
        counts = {"waiting": F("waiting") + range_plan.waiting, "held_out": F("held_out") + range_plan.held_out}
        Experiment.objects.filter(pk=self._experiment.pk).update(**counts)


class RestPlanner(CampaignPlanner):
    """Plans the rest of a range, from the winner's version."""

    phase = "rest"

    def __init__(
        self,
        campaign: Campaign,
        experiment: Experiment,
        variants: list[CampaignVariant],
        limits: ArmingLimits = LIMITS,
    ) -> None:
        versions = {each.key: each.version_id for each in variants}
        super().__init__(campaign, limits, versions.get(experiment.winner))
        assert experiment.decided_at is not None
        self._winner, self._parts = experiment.winner, parts_for(experiment, variants)
        self._slot = slot_finder(campaign.pk)
        # the test has rows of the same campaign: an address that got a variant gets nothing more
        self.addresses_recur = True
        if isinstance(self._clock, LocalClock):
            self._clock = replace(self._clock, begins=max(self._clock.begins, experiment.decided_at))

    def plan(self, people: Iterable[Person]) -> RangePlan:
        """The plan for those of these recipients who are in the rest."""
        range_plan = RangePlan(variant=self._winner)
        waiting = [person for person in people if self._parts.key_of(self._slot(person.id)) == REST]
        range_plan.planned = len(waiting)
        self.plan_into(range_plan, waiting, time.thread_time())
        keep_one_per_address(range_plan)
        return range_plan
