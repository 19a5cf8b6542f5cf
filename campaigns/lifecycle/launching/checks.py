"""What must hold for a launch, now or at a planned time. Each check raises; none changes anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from campaigns.arming.planning.waves import LAST
from campaigns.audience import topic_of
from campaigns.audience.topics import NO_OPT_OUT_HOLDS
from campaigns.audit import OPERATOR, Actor
from campaigns.lifecycle.fan_out.waves import LATE
from campaigns.models import Campaign, Passed, Rollout, Shard
from notifier.errors import Conflict, InvalidInput

#: a launch may be planned this far ahead: a year from now, templates, consent and addresses have changed
FARTHEST = timedelta(days=366)


@dataclass(frozen=True)
class LaunchRequest:
    """What an actor asks for: what leaves, and for a topic that the actor knows that no opt-out holds. `planned_for`:
    the time of the plan that asks, None for GO."""

    rollout: str = Rollout.ALL
    ignore_opt_outs: bool = False
    by: Actor = OPERATOR
    planned_for: datetime | None = None


def check_rollout(rollout: str, field: str = "rollout") -> None:
    if rollout not in Rollout.values:
        raise InvalidInput(f"Must be one of: {', '.join(Rollout.values)}.", field=field, code="invalid_choice")


def check_launch(campaign: Campaign, request: LaunchRequest, at: datetime) -> None:
    """Raise why this armed campaign cannot be launched at that time with these request."""
    check_acknowledged(campaign, request.ignore_opt_outs)
    _check_canary(campaign, request.rollout)
    _check_not_after(campaign, at)
    _check_waves(campaign, at)


def check_acknowledged(campaign: Campaign, ignore_opt_outs: bool) -> None:
    """A topic reaches people who opted out at Notifier: the caller must say so."""
    is_topic = bool(topic_of(campaign))
    if ignore_opt_outs and not is_topic:
        raise InvalidInput(
            "Is for a campaign to a topic; for this campaign opt-outs hold. Leave it out.", field="ignore_opt_outs"
        )
    if is_topic and not ignore_opt_outs and not campaign.silent:
        raise Conflict(
            f"{NO_OPT_OUT_HOLDS} To launch it all the same, say so: ignore_opt_outs in the API, --ignore-opt-outs at "
            "the command line, the tick in the admin.",
            code="not_acknowledged",
        )


def _check_canary(campaign: Campaign, rollout: str) -> None:
    """A caller that asks for a canary must not get everything at once."""
    if rollout != Rollout.ALL and not Shard.objects.filter(campaign=campaign, canary=True).exists():
        raise Conflict(
            f"There is no canary: {campaign.canary_percent} % of this campaign is not a single message.",
            code="no_canary",
        )


def _check_not_after(campaign: Campaign, at: datetime) -> None:
    begins = at + timedelta(seconds=campaign.hold_seconds)
    if campaign.not_after is not None and campaign.not_after <= begins:
        latest = rfc_3339(campaign.not_after)
        raise Conflict(
            f"No message could leave: not_after is {latest}. Set a later not_after, or none.", code="too_late"
        )


def _check_waves(campaign: Campaign, at: datetime) -> None:
    """A campaign that leaves out recipients whose time is over must have a recipient whose time is not."""
    if campaign.local_time is None or campaign.passed != Passed.LEAVE_OUT:
        return
    in_time = at + timedelta(seconds=campaign.hold_seconds) - LATE
    if not Shard.objects.filter(campaign=campaign, not_before__gte=in_time).exists():
        raise Conflict(
            "No message could leave: the local time of every recipient is over. Choose a later local_time.",
            code="too_late",
        )


def check_launch_at(launch_at: datetime, not_after: datetime | None, now: datetime) -> None:
    """Raise InvalidInput for a planned time at which no campaign can be launched."""
    if launch_at <= now:
        raise InvalidInput("Lies in the past. To launch now, use GO.", field="launch_at", code="in_the_past")
    if launch_at > now + FARTHEST:
        raise InvalidInput(f"Is more than {FARTHEST.days} days ahead.", field="launch_at", code="too_far_ahead")
    if not_after is not None and not_after <= launch_at:
        raise InvalidInput(
            f"Must be before not_after, which is {rfc_3339(not_after)}.", field="launch_at", code="after_not_after"
        )


def check_launch_before_local_time(launch_at: datetime, local_time: datetime | None, field: str = "launch_at") -> None:
    """Raise InvalidInput for a planned time at which the local time is over in every zone."""
    if local_time is not None and launch_at >= local_time.replace(tzinfo=UTC) + LAST:
        raise InvalidInput(
            "At launch_at the local time is over everywhere on earth: choose an earlier launch_at, or a later "
            "local_time.",
            field=field,
            code="after_local_time",
        )


def rfc_3339(at: datetime) -> str:
    """The time in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
