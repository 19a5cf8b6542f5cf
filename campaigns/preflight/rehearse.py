"""Silent runs: a copy of a campaign goes the whole way, at full speed, and providers check its messages and deliver
none. It shows how fast the campaign will be and which addresses are dead, and disturbs nobody."""

from __future__ import annotations

import structlog
from django.db import transaction

from campaigns import arming
from campaigns.edit.campaigns import MAX_NAME
from campaigns.lifecycle import launch
from campaigns.lifecycle.transition import By, record_control
from campaigns.models import Campaign
from campaigns.states import State
from notifier.errors import Conflict
from notifier.providers import providers
from notifier.vocabulary.status import Mode

log = structlog.get_logger("campaigns")

SUFFIX = " (silent run)"
#: what a rehearsal has from its campaign. Not `not_after` and the hold: they are about people, and none is reached
_SAME = (
    "tenant_id", "template_id", "audience_id", "data", "mode", "rate_per_s", "canary_percent", "max_error_percent",
    "max_dead_percent",
)  # fmt: skip


def rehearse(campaign: Campaign, by: By) -> Campaign:
    """Begin a silent run: it arms in the background and launches itself. Raises Conflict where none is possible, or
    what arming raises."""
    channels = _check(campaign)
    with transaction.atomic():
        twin = Campaign.objects.create(
            **{name: getattr(campaign, name) for name in _SAME},
            name=f"{campaign.name[: MAX_NAME - len(SUFFIX)]}{SUFFIX}",
            channels=channels,
            silent=True,
            rehearsal_of=campaign,
            created_by=by.user,
        )
        arming.request_arm(twin)
        record_control(campaign, "rehearse", by, rehearsal=str(twin.pk), channels=channels)
    twin.refresh_from_db()
    return twin


def possible(campaign: Campaign) -> list[str]:
    """Its channels whose providers can check a message without delivering it: all of them, because one that cannot
    would deliver."""
    unable = {provider.channel for provider in providers().values() if not provider.rehearses}
    return [name for name in campaign.channels if name not in unable]


def _check(campaign: Campaign) -> list[str]:
    if campaign.silent:
        raise Conflict("This is a silent run itself.", code="no_rehearsal")
    if campaign.mode == Mode.TEST:
        raise Conflict("A test campaign reaches nobody: it is a rehearsal already.", code="no_rehearsal")
    channels = possible(campaign)
    if not channels:
        raise Conflict(
            f"Nothing can check messages without delivering them on: {', '.join(campaign.channels)}.",
            code="no_rehearsal",
        )
    return channels


def launch_armed() -> None:
    """Launch the silent runs that are armed; the sweep's part, so that none is forgotten by a worker that died."""
    for campaign in Campaign.objects.filter(silent=True, state=State.ARMED).select_related("created_by"):
        try:
            launch.go(campaign.tenant_id, campaign.pk, user=campaign.created_by)
        except Conflict as conflict:
            # somebody returned it to draft, or stopped it, since it was looked at
            log.info("silent run not launched", action="rehearse", campaign=str(campaign.pk), why=conflict.message)
