"""The times of a campaign: `launch_at` and what it must agree with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from campaigns.lifecycle.launch_checks import check_launch_at, check_rollout, rfc_3339
from campaigns.models import Audience, Campaign
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


def check_times(
    columns: Mapping[str, Any], campaign: Campaign | None, audience: Audience | None, now: datetime
) -> None:
    """Raise InvalidInput for times that do not agree with each other, the audience or the clock. A planned time that
    does not change may be over: its form sends it again."""
    launch_at = columns.get("launch_at", campaign.launch_at if campaign else None)
    not_after = columns.get("not_after", campaign.not_after if campaign else None)
    if launch_at is None:
        return
    is_new = campaign is None or campaign.launch_at != launch_at
    if is_new:
        check_launch_at(launch_at, not_after, now)
    elif columns.get("not_after") is not None and not_after <= launch_at:
        raise InvalidInput(f"Must be after launch_at, which is {rfc_3339(launch_at)}.", field="not_after")
    if audience is not None and audience.is_topic and (is_new or not _is_acknowledged(campaign, audience)):
        raise InvalidInput(
            "Opt-outs do not hold for a topic, and the planner must say so: plan the launch on the page of GO, with "
            "POST /v1/campaigns/<id>/plan and ignore_opt_outs, or at the command line with --ignore-opt-outs.",
            field="launch_at",
            code="not_acknowledged",
        )


def _is_acknowledged(campaign: Campaign | None, audience: Audience) -> bool:
    """Whether the planner of this campaign knows that its topic ignores opt-outs."""
    return campaign is not None and campaign.launch_ignores_opt_outs and campaign.audience_id == audience.pk
