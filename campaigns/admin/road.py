"""From draft to GO: arm, back to draft, copy, GO with its confirmation, and what is polled."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import arming
from campaigns.admin.page import CampaignPage, View, change_url
from campaigns.arming.warm import warm_workers
from campaigns.edit import campaigns
from campaigns.lifecycle import launch
from campaigns.models import Campaign, Rollout, Shard
from campaigns.preflight.preflight import preflight, read_seconds
from campaigns.report import results
from notifier.errors import Conflict
from tenants.admin.time_zones import time_of_day


class Road(CampaignPage):
    def steps(self) -> Mapping[str, View]:
        return {
            **super().steps(),
            "arm": require_POST(self.arm_view),
            "disarm": require_POST(self.disarm_view),
            "copy": require_POST(self.copy_view),
            "go": require_http_methods(["GET", "POST"])(self.go_view),
            "progress": require_GET(self.progress_view),
        }

    def progress_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What the page polls."""
        found = results.progress(self.find(request, pk))
        return JsonResponse({**asdict(found), "percent": percent(found)})

    def arm_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def arm(campaign: Campaign) -> None:
            arming.request_arm(campaign)
            self.note(request, campaign, "arm")

        return self.step(request, pk, arm)

    def disarm_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def disarm(campaign: Campaign) -> None:
            arming.disarm(campaign)
            self.note(request, campaign, "disarm")
            self.message_user(request, "Back to draft; nothing was sent.", messages.SUCCESS)

        return self.step(request, pk, disarm)

    def copy_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Same again: a new draft with the same content and audience."""

        def copy(campaign: Campaign) -> HttpResponse:
            twin = campaigns.copy(campaign, user=self.by(request).user)
            self.note(request, twin, "copy")
            self.message_user(request, "A copy, as a draft: nothing is sent until you arm it and press GO.")
            return HttpResponseRedirect(change_url(twin.pk))

        return self.step(request, pk, copy)

    def go_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """GET: what is about to happen. POST: GO."""
        if request.method == "POST":
            return self.step(request, pk, lambda campaign: self._go(request, campaign))
        return self.step(request, pk, lambda campaign: self._ask(request, campaign))

    def _ask(self, request: HttpRequest, campaign: Campaign) -> HttpResponse | None:
        if campaign.state != Campaign.State.ARMED:
            self._say_why_not(request, campaign)
            return None
        # whoever looks at this page is about to press: the workers' connections are open by then
        warm_workers(campaign)
        wanted = request.GET.get("rollout", "")
        return self.page(
            request,
            campaign,
            "go",
            f"Launch “{campaign}”?",
            preflight=preflight(campaign, read_seconds(request.GET.get("seconds"))),
            rollouts=Rollout.choices if canary_messages(campaign) else Rollout.choices[:1],
            rollout=wanted if wanted in Rollout.values else Rollout.ALL.value,
            canary=canary_messages(campaign),
        )

    def _go(self, request: HttpRequest, campaign: Campaign) -> None:
        # locked, so that what is launched is what the confirmation showed: an edit raises the revision
        shown = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
        if shown.state == Campaign.State.ARMED and str(shown.revision) != request.POST.get("revision"):
            raise Conflict("It was changed or armed again since you looked. Look at it again, then press GO.")
        launched = launch.go(
            campaign.tenant_id,
            campaign.pk,
            rollout=request.POST.get("rollout", Rollout.ALL),
            user=self.by(request).user,
        )
        campaign.refresh_from_db()
        at = f"at {time_of_day(campaign.launched_at)}" if campaign.launched_at else "before"
        self.say(request, launched, _began(campaign), f"It was launched already, {at}.")

    def _say_why_not(self, request: HttpRequest, campaign: Campaign) -> None:
        if campaign.launched_at is not None:
            self.message_user(request, f"It was launched at {time_of_day(campaign.launched_at)}.", messages.INFO)
        elif campaign.state == Campaign.State.LAUNCHING:
            self.message_user(request, "GO was pressed already.", messages.INFO)
        else:
            self.message_user(request, f"Arm it first; it is {campaign.state}.", messages.WARNING)


def _began(campaign: Campaign) -> str:
    if campaign.state == Campaign.State.LAUNCHING:
        return f"GO! It leaves in {campaign.hold_seconds} s; until then you can take it back."
    if campaign.rollout != Rollout.ALL:
        return f"GO! The first {campaign.canary_percent} % are on their way."
    return "GO! It is on its way."


def canary_messages(campaign: Campaign) -> int:
    """How many messages would leave first."""
    rows = Shard.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign, canary=True)
    return sum(rows.values_list("size", flat=True))


def percent(progress: results.Progress) -> int:
    """How far the sending is, 0 to 100."""
    return 100 * (progress.total - progress.waiting) // progress.total if progress.total else 0
