"""Silent runs: a copy of a campaign goes the whole way at full speed; providers check its messages and deliver none. A
silent run shows how fast the campaign will be and which addresses are dead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog
from django.db import transaction

from campaigns import arming
from campaigns.audit import Act, Actor, record
from campaigns.edit.fields import MAX_NAME
from campaigns.edit.variants import copy_variants
from campaigns.lifecycle.launching import launch
from campaigns.models import Campaign, Experiment
from campaigns.states import State
from notifier.errors import Conflict
from notifier.providers import Provider, providers
from notifier.vocabulary.status import Mode

log = structlog.get_logger("campaigns")

SUFFIX = " (silent run)"
#: columns that a silent run takes from its campaign. Not its times and the hold: those are for people, and a silent run
#: reaches none
_SAME = (
    "tenant_id", "template_id", "audience_id", "data", "mode", "rate_per_s", "canary_percent", "max_error_percent",
    "max_dead_percent",
)  # fmt: skip


def rehearse(campaign: Campaign, by: Actor) -> Campaign:
    """Begin a silent run, which arms in the background and launches itself. Raises Conflict where no silent run is
    possible, or what arming raises."""
    channels = _check(campaign)
    with transaction.atomic():
        silent_run = Campaign.objects.create(
            **{name: getattr(campaign, name) for name in _SAME},
            name=f"{campaign.name[: MAX_NAME - len(SUFFIX)]}{SUFFIX}",
            channels=channels,
            silent=True,
            rehearsal_of=campaign,
            created_by=by.user,
        )
        # the whole audience is in the test: a rest would wait for a winner that nobody can see
        held_out = Experiment.objects.filter(campaign=campaign).values_list("holdout_percent", flat=True).first() or 0
        copy_variants(campaign, silent_run, test_percent=100 - held_out)
        arming.request_arm(silent_run, by)
        record(campaign, Act.REHEARSE, by, rehearsal=str(silent_run.pk), channels=channels)
    silent_run.refresh_from_db()
    return silent_run


def channels_to_rehearse(campaign: Campaign, known: Iterable[type[Provider[Any]]] = ()) -> list[str]:
    """The campaign's channels of which some provider can check a message without delivering it. Messages of the other
    providers of such a channel are left out of a silent run (registry.usable_accounts). `known`: instead of the
    registered providers."""
    able = {provider.channel for provider in known or providers().values() if provider.rehearses}
    return [name for name in campaign.channels if name in able]


def _check(campaign: Campaign) -> list[str]:
    if campaign.silent:
        raise Conflict("This is a silent run itself.", code="no_rehearsal")
    if campaign.mode == Mode.TEST:
        raise Conflict("A test campaign reaches nobody: it is a rehearsal already.", code="no_rehearsal")
    channels = channels_to_rehearse(campaign)
    if not channels:
        raise Conflict(
            f"No provider can check messages without delivering them on: {', '.join(campaign.channels)}.",
            code="no_rehearsal",
        )
    return channels


def launch_armed() -> None:
    """Launch the silent runs that are armed. The sweep calls this, so a dead worker delays no silent run."""
    for campaign in Campaign.objects.filter(silent=True, state=State.ARMED).select_related("created_by"):
        try:
            launch.go(campaign.tenant_id, campaign.pk, by=Actor(user=campaign.created_by))
        except Conflict as conflict:
            # the silent run was returned to draft or stopped after the query
            log.info("silent run not launched", action="rehearse", campaign=str(campaign.pk), why=conflict.message)
