"""The times of a campaign: `launch_at` and `local_time`, and what they must agree with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from campaigns.arming.planning.variants import check_rest_in_time, experiment_of
from campaigns.arming.planning.waves import FIRST, check_not_over
from campaigns.lifecycle.launching.checks import (
    FARTHEST,
    check_launch_at,
    check_launch_before_local_time,
    check_rollout,
    rfc_3339,
)
from campaigns.models import Audience, Campaign, Passed
from campaigns.wall_clock import parse_wall_clock
from notifier.errors import InvalidInput


def read_launch_at(raw: Any) -> datetime | None:
    if raw is None:
        return None
    if not isinstance(raw, datetime):
        raise InvalidInput("Must be a time, such as 2026-01-31T18:00:00Z.", field="launch_at")
    return raw if raw.tzinfo else raw.replace(tzinfo=UTC)


def read_launch_rollout(raw: Any) -> str:
    check_rollout(raw, "launch_rollout")
    return str(raw)


def read_local_time(raw: Any) -> datetime | None:
    if raw is None:
        return None
    if (local_time := parse_wall_clock(raw)) is None:
        raise InvalidInput(
            "Must be a date and time without an offset, such as 2030-01-31T09:00.", field="local_time", code="invalid"
        )
    return local_time


def read_passed(raw: Any) -> str:
    if raw not in Passed.values:
        raise InvalidInput(f"Must be one of: {', '.join(Passed.values)}.", field="passed", code="invalid_choice")
    return str(raw)


@dataclass(frozen=True)
class _Times:
    """The times that the campaign is about to have, and which of them change. A time that does not change may be over:
    its form sends it again."""

    columns: Mapping[str, Any]
    campaign: Campaign | None

    def get(self, name: str) -> Any:
        return self.columns.get(name, getattr(self.campaign, name, None))

    def changes(self, name: str) -> bool:
        return name in self.columns and (self.campaign is None or self.columns[name] != getattr(self.campaign, name))


def check_times(
    columns: Mapping[str, Any], campaign: Campaign | None, audience: Audience | None, now: datetime
) -> None:
    """Raise InvalidInput for times that do not agree with each other, the audience or the clock."""
    times = _Times(columns, campaign)
    if times.get("launch_at") is not None:
        _check_plan(times, audience, now)
    if times.get("local_time") is not None:
        _check_local_time(times, audience, now)


def _check_plan(times: _Times, audience: Audience | None, now: datetime) -> None:
    launch_at, not_after = times.get("launch_at"), times.get("not_after")
    is_new = times.changes("launch_at")
    if is_new:
        check_launch_at(launch_at, not_after, now)
    elif times.changes("not_after") and not_after is not None and not_after <= launch_at:
        raise InvalidInput(f"Must be after launch_at, which is {rfc_3339(launch_at)}.", field="not_after")
    if audience is not None and audience.is_topic and (is_new or not _is_acknowledged(times.campaign, audience)):
        raise InvalidInput(
            "Opt-outs do not hold for a topic, and the planner must say so: plan the launch on the page of GO, with "
            "POST /v1/campaigns/<id>/plan and ignore_opt_outs, or at the command line with --ignore-opt-outs.",
            field="launch_at",
            code="not_acknowledged",
        )


def _check_local_time(times: _Times, audience: Audience | None, now: datetime) -> None:
    local_time, launch_at, not_after = (times.get(name) for name in ("local_time", "launch_at", "not_after"))
    first = local_time.replace(tzinfo=UTC) + FIRST
    if audience is not None and audience.is_topic:
        raise InvalidInput(
            "A topic has no recipients whose clocks could show a time. Choose another audience, or no local_time.",
            field="local_time",
            code="no_local_time",
        )
    if times.changes("local_time"):
        check_not_over(local_time, now)
        if first > now + FARTHEST:
            raise InvalidInput(f"Is more than {FARTHEST.days} days ahead.", field="local_time", code="too_far_ahead")
    if times.campaign is not None and (times.changes("local_time") or times.changes("passed")):
        field = "passed" if times.changes("passed") else "local_time"
        check_rest_in_time(times.get("passed"), experiment_of(times.campaign), field)
    if launch_at is not None:
        check_launch_before_local_time(
            launch_at, local_time, "launch_at" if times.changes("launch_at") else "local_time"
        )
    if not_after is not None and not_after <= first:
        raise InvalidInput(
            "No message could leave: at not_after the local time has come nowhere on earth.",
            field="not_after" if times.changes("not_after") else "local_time",
            code="before_local_time",
        )


def _is_acknowledged(campaign: Campaign | None, audience: Audience) -> bool:
    """Whether the planner of this campaign knows that its topic ignores opt-outs."""
    return campaign is not None and campaign.launch_ignores_opt_outs and campaign.audience_id == audience.pk
