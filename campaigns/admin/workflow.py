"""What a campaign's page offers beside the buttons of the controls: GO with its confirmation, a copy, and the progress
that the page polls."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.timezone import localtime
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns.admin.live import progress_answer
from campaigns.admin.page import CampaignPage, View, actor, change_url
from campaigns.arming.warm import warm_workers
from campaigns.audience import topic_of
from campaigns.edit import campaigns
from campaigns.lifecycle import launch, planned
from campaigns.models import Campaign, Rollout, Shard
from campaigns.preflight.preflight import preflight, read_seconds
from notifier.errors import Conflict, InvalidInput
from notifier.values import timestamps
from notifier.values.zones import from_wall_clock
from tenants.admin import AUTHORS
from tenants.admin.time_zones import time_of_day


class Workflow(CampaignPage):
    def views(self) -> Mapping[str, View]:
        return {
            **super().views(),
            "copy": require_POST(self.copy_view),
            "go": require_http_methods(["GET", "POST"])(self.go_view),
            "plan": require_POST(self.plan_view),
            "progress": require_GET(self.progress_view),
        }

    def progress_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What the page polls."""
        return progress_answer(self.find(request, pk))

    def copy_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """A new draft with the same content and audience."""

        def copy(campaign: Campaign) -> HttpResponse:
            draft = campaigns.copy(campaign, by=actor(request))
            self.message_user(request, "This copy is a draft: nothing is sent until you arm it and press GO.")
            return HttpResponseRedirect(change_url(draft.pk))

        return self.perform(request, pk, copy, AUTHORS)

    def go_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """GET: what is about to happen. POST: GO."""
        action = self._go if request.method == "POST" else self._confirm_go
        return self.perform(request, pk, lambda campaign: action(request, campaign))

    def _confirm_go(self, request: HttpRequest, campaign: Campaign) -> HttpResponse | None:
        if campaign.state != Campaign.State.ARMED:
            self._explain_state(request, campaign)
            return None
        # GO is pressed on this page a moment later: the workers' connections are open by then
        warm_workers(campaign)
        rollout = request.GET.get("rollout", "")
        return self.render(
            request,
            campaign,
            "go",
            f"Launch “{campaign}”?",
            preflight=preflight(campaign, read_seconds(request.GET.get("seconds"))),
            rollouts=Rollout.choices if canary_messages(campaign) else Rollout.choices[:1],
            rollout=rollout if rollout in Rollout.values else Rollout.ALL.value,
            canary=canary_messages(campaign),
            has_plan=campaign.launch_at is not None and not campaign.launch_failure,
        )

    def plan_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Plan the launch: the page of GO with a time."""
        return self.perform(request, pk, lambda campaign: self._plan(request, campaign))

    def _plan(self, request: HttpRequest, campaign: Campaign) -> None:
        self._check_revision(request, campaign)
        launch_at = _read_launch_at(request.POST.get("launch_at", ""), campaign.tenant.timezone)
        options = _launch_options(request, campaign)
        changed = planned.plan(campaign.tenant_id, campaign.pk, launch_at=launch_at, by=actor(request), **options)
        at = f"{localtime(launch_at):%-d %B %Y at %H:%M %Z}"
        self.report(request, changed, f"Planned: it launches itself on {at}.", f"It was planned already, for {at}.")

    def _check_revision(self, request: HttpRequest, campaign: Campaign) -> None:
        """Lock the campaign, so that what is launched is what the confirmation showed: an edit raises the revision."""
        locked = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
        if locked.state == Campaign.State.ARMED and str(locked.revision) != request.POST.get("revision"):
            raise Conflict("The campaign was changed or armed again since you looked. Look at it again, then press GO.")

    def _go(self, request: HttpRequest, campaign: Campaign) -> HttpResponse | None:
        self._check_revision(request, campaign)
        options = _launch_options(request, campaign)
        launched = launch.go(campaign.tenant_id, campaign.pk, by=actor(request), **options)
        campaign.refresh_from_db()
        when = f"at {time_of_day(campaign.launched_at)}" if campaign.launched_at else "before"
        self.report(request, launched, _launched(campaign), f"It was launched already, {when}.")
        return None

    def _explain_state(self, request: HttpRequest, campaign: Campaign) -> None:
        if campaign.launched_at is not None:
            self.message_user(request, f"It was launched at {time_of_day(campaign.launched_at)}.", messages.INFO)
        elif campaign.state == Campaign.State.LAUNCHING:
            self.message_user(request, "GO was pressed already.", messages.INFO)
        else:
            self.message_user(request, f"Arm the campaign first; it is {campaign.state}.", messages.WARNING)


def _launched(campaign: Campaign) -> str:
    if campaign.state == Campaign.State.LAUNCHING:
        return f"GO! It leaves in {campaign.hold_seconds} s; until then you can take it back."
    if campaign.rollout != Rollout.ALL:
        return f"GO! The first {campaign.canary_percent} % are on their way."
    return "GO! It is on its way."


def _launch_options(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """What the form of GO chooses."""
    ignore = bool(topic_of(campaign)) and "ignore_opt_outs" in request.POST
    return {"rollout": request.POST.get("rollout", Rollout.ALL), "ignore_opt_outs": ignore}


def _read_launch_at(raw: str, zone_name: str) -> datetime:
    """The time that a person typed, by the clock of the tenant. Raises InvalidInput."""
    typed = timestamps.parse(raw)
    if typed is None or typed.tzinfo is not None or not 2000 <= typed.year <= 9998:
        raise InvalidInput("Choose a date and a time for the planned launch.", field="launch_at")
    return from_wall_clock(typed, zone_name)


def canary_messages(campaign: Campaign) -> int:
    """How many messages the canary has."""
    rows = Shard.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign, canary=True)
    return sum(rows.values_list("size", flat=True))
