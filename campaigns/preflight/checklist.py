"""The ladder that a careful sender climbs: a silent run, to yourself, a small share first, everything. Each rung says
what it does, what it showed when it was last climbed, and whether it is the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
    says: str
    #: when it was climbed; None: not yet, or not since the last edit
    at: datetime | None = None
    #: what it showed
    showed: str = ""
    #: why it cannot be climbed now
    blocked: str = ""
    #: arming is what leads to it
    arm: bool = False
    #: the campaign that shows more
    more: Campaign | None = None
    is_next: bool = False


def checklist(campaign: Campaign) -> list[LaunchStep]:
    """Its four rungs."""
    return marked([_silent(campaign), _yourself(campaign), _first(campaign), _everything(campaign)])


def marked(steps: Sequence[LaunchStep]) -> list[LaunchStep]:
    """The same, with the lowest one that was not climbed and can be as the next."""
    ahead = next((step for step in steps if step.at is None and not step.blocked), None)
    return [dataclasses.replace(step, is_next=step is ahead) for step in steps]


def _silent(campaign: Campaign) -> LaunchStep:
    step = LaunchStep(
        SILENT,
        "Silent run",
        "The whole campaign at full speed. Providers check every message and deliver none: nobody is disturbed.",
    )
    last = campaign.rehearsals.order_by("-id").first()
    if last is not None:
        done = last.finished_at if last.state == State.FINISHED else None
        step = dataclasses.replace(step, at=done, showed=_showed(last), more=last)
    if campaign.mode == "test":
        return dataclasses.replace(step, blocked="A test campaign reaches nobody: it is a rehearsal already.")
    if not rehearse.possible(campaign):
        what = ", ".join(campaign.channels)
        return dataclasses.replace(step, blocked=f"Nothing can check {what} messages without delivering them.")
    return step if campaign.audience else dataclasses.replace(step, blocked="Choose an audience first.")


def _showed(rehearsal: Campaign) -> str:
    """A silent run in one line."""
    if rehearsal.state in (State.DRAFT, State.ARMING, State.ARMED):
        return f"Arming failed: {rehearsal.failure}" if rehearsal.failure else "Being armed; it launches itself."
    found = results.progress(rehearsal)
    said = f"{found.sent:,} of {found.total:,} checked, {found.failed:,} refused"
    if found.rate and found.seconds and rehearsal.state == State.FINISHED:
        return f"{said}, in {duration(found.seconds)}: {found.rate:,.0f} a second."
    return f"{said}. {rehearsal.halted or rehearsal.get_state_display()}"


def _yourself(campaign: Campaign) -> LaunchStep:
    version = campaign.tested_version
    showed = f"Version {version.number} of the template." if version is not None else ""
    return LaunchStep(
        YOURSELF,
        "To yourself",
        "One real message to one person, on every channel of the campaign.",
        at=campaign.tested_at,
        showed=showed,
    )


def _first(campaign: Campaign) -> LaunchStep:
    step = LaunchStep(
        FIRST,
        f"{campaign.canary_percent} % first" if campaign.canary_percent else "A share first",
        "A few people, chosen at random. If too much of it fails, the rest stays here.",
    )
    sums = _canary(campaign)
    if campaign.launched_at is not None:
        if campaign.rollout == Rollout.ALL:
            return dataclasses.replace(step, blocked="It was left out.")
        showed = f"{sums['sent']:,} of {sums['size']:,} sent, {sums['failed']:,} failed."
        return dataclasses.replace(step, at=campaign.launched_at, showed=showed)
    if not campaign.canary_percent:
        return dataclasses.replace(step, blocked="No share is set under “How it leaves”.")
    if campaign.state not in (State.ARMED, State.LAUNCHING):
        return _to_arm(campaign, step)
    if not sums["size"]:
        return dataclasses.replace(step, blocked=f"{campaign.canary_percent} % of it is not a single message.")
    return dataclasses.replace(step, showed=f"{sums['size']:,} messages.")


def _everything(campaign: Campaign) -> LaunchStep:
    step = LaunchStep(EVERYTHING, "Everything", "All that is armed, as fast as it may.")
    if campaign.launched_at is None:
        if campaign.state in (State.ARMED, State.LAUNCHING):
            return step
        return (
            dataclasses.replace(step, blocked="Arm it first.") if campaign.canary_percent else _to_arm(campaign, step)
        )
    all_of_it = campaign.rollout == Rollout.ALL
    return dataclasses.replace(step, at=campaign.launched_at if all_of_it else campaign.canary_passed_at)


def _to_arm(campaign: Campaign, step: LaunchStep) -> LaunchStep:
    if campaign.audience is None:
        return dataclasses.replace(step, blocked="Choose an audience first.")
    return dataclasses.replace(step, arm=campaign.state == State.DRAFT)


def _canary(campaign: Campaign) -> dict[str, Any]:
    rows = Shard.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign, canary=True)
    sums = rows.aggregate(size=Sum("size"), sent=Sum("sent"), failed=Sum("failed"))
    return {name: value or 0 for name, value in sums.items()}
