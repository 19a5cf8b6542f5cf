"""The launch checklist: a silent run, a test send to yourself, a small share first, everything. Each step has an
explanation and the result of its last run, and says whether it is the next step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from campaigns.models import Campaign, Rollout, Shard
from campaigns.preflight import rehearse
from campaigns.report import results
from campaigns.states import State
from campaigns.templatetags.figures import duration

SILENT, YOURSELF, FIRST, EVERYTHING = "silent", "yourself", "first", "everything"


@dataclass(frozen=True)
class LaunchStep:
    name: str
    title: str
    explanation: str
    #: None: not done yet, or not since the last edit
    done_at: datetime | None = None
    #: of the last run
    result: str = ""
    #: why the step cannot be done now
    blocked: str = ""
    #: the campaign must be armed before the step
    needs_arming: bool = False
    #: the page with the whole result
    silent_run: Campaign | None = None
    is_next: bool = False


def checklist(campaign: Campaign) -> list[LaunchStep]:
    """The four steps of a campaign."""
    return mark_next([_silent_run(campaign), _to_yourself(campaign), _canary_first(campaign), _everything(campaign)])


def mark_next(steps: Sequence[LaunchStep]) -> list[LaunchStep]:
    """The same steps; the first one that is neither done nor blocked is the next."""
    following = next((step for step in steps if step.done_at is None and not step.blocked), None)
    return [dataclasses.replace(step, is_next=step is following) for step in steps]


def _silent_run(campaign: Campaign) -> LaunchStep:
    step = LaunchStep(
        SILENT,
        "Silent run",
        "The whole campaign at full speed. Providers check every message and deliver none.",
    )
    last = campaign.rehearsals.order_by("-id").first()
    if last is not None:
        done_at = last.finished_at if last.state == State.FINISHED else None
        step = dataclasses.replace(step, done_at=done_at, result=_silent_result(last), silent_run=last)
    if campaign.mode == "test":
        return dataclasses.replace(step, blocked="A test campaign reaches nobody: it is a rehearsal already.")
    if not rehearse.channels_to_rehearse(campaign):
        names = ", ".join(campaign.channels)
        return dataclasses.replace(step, blocked=f"No provider can check {names} messages without delivering them.")
    return step if campaign.audience else dataclasses.replace(step, blocked="Choose an audience first.")


def _silent_result(silent_run: Campaign) -> str:
    """A silent run in one line."""
    if silent_run.state in (State.DRAFT, State.ARMING, State.ARMED):
        if silent_run.failure:
            return f"Arming failed: {silent_run.failure}"
        return "It is being armed, and launches itself."
    progress = results.progress(silent_run)
    counts = f"{progress.sent:,} of {progress.total:,} checked, {progress.failed:,} refused"
    if progress.rate and progress.seconds and silent_run.state == State.FINISHED:
        return f"{counts}, in {duration(progress.seconds)}: {progress.rate:,.0f} a second."
    return f"{counts}. {silent_run.halted or silent_run.get_state_display()}"


def _to_yourself(campaign: Campaign) -> LaunchStep:
    version = campaign.tested_version
    return LaunchStep(
        YOURSELF,
        "To yourself",
        "One real message to one person, on every channel of the campaign.",
        done_at=campaign.tested_at,
        result=f"Version {version.number} of the template." if version is not None else "",
    )


def _canary_first(campaign: Campaign) -> LaunchStep:
    chosen = "chosen at random" if campaign.local_time is None else "of the earliest waves"
    step = LaunchStep(
        FIRST,
        f"{campaign.canary_percent} % first" if campaign.canary_percent else "A share first",
        f"A few people, {chosen}. If too many of their messages fail, the rest does not leave.",
    )
    canary = _sums_of_canary(campaign)
    if campaign.launched_at is not None:
        if campaign.rollout == Rollout.ALL:
            return dataclasses.replace(step, blocked="This step was left out.")
        result = f"{canary['sent']:,} of {canary['size']:,} sent, {canary['failed']:,} failed."
        return dataclasses.replace(step, done_at=campaign.launched_at, result=result)
    if not campaign.canary_percent:
        return dataclasses.replace(step, blocked="No share is set under “Launch settings”.")
    if campaign.state not in (State.ARMED, State.LAUNCHING):
        return _after_arming(campaign, step)
    if not canary["size"]:
        return dataclasses.replace(
            step, blocked=f"{campaign.canary_percent} % of the campaign is not a single message."
        )
    return dataclasses.replace(step, result=f"{canary['size']:,} messages.")


def _everything(campaign: Campaign) -> LaunchStep:
    step = LaunchStep(EVERYTHING, "Everything", "All armed messages, as fast as the limits allow.")
    if campaign.launched_at is not None:
        all_at_once = campaign.rollout == Rollout.ALL
        return dataclasses.replace(step, done_at=campaign.launched_at if all_at_once else campaign.canary_passed_at)
    if campaign.state in (State.ARMED, State.LAUNCHING):
        return step
    if campaign.canary_percent:
        return dataclasses.replace(step, blocked="Arm the campaign first.")
    return _after_arming(campaign, step)


def _after_arming(campaign: Campaign, step: LaunchStep) -> LaunchStep:
    if campaign.audience is None:
        return dataclasses.replace(step, blocked="Choose an audience first.")
    return dataclasses.replace(step, needs_arming=campaign.state == State.DRAFT)


def _sums_of_canary(campaign: Campaign) -> dict[str, int]:
    """Size, sent and failed messages of the canary."""
    shards = Shard.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign, canary=True)
    sums = shards.aggregate(size=Sum("size"), sent=Sum("sent"), failed=Sum("failed"))
    return {name: value or 0 for name, value in sums.items()}
