"""The steps of a campaign's road: arm, GO with its confirmation, stop with its confirmation, and what is polled."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import control, edit, launch, prepare, results
from campaigns.models import Campaign
from campaigns.preflight import preflight
from notifier.errors import Conflict, NotifierError
from tenants import audit
from tenants.admin import MARKETERS, may

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Campaign]
else:
    _Admin = object


class Road(_Admin):
    """Views for CampaignAdmin. Every step is a POST that may be repeated without harm, and says what it did."""

    def get_urls(self) -> list[URLPattern]:
        steps: dict[str, Callable[..., HttpResponse]] = {
            "arm": require_POST(self.arm_view),
            "disarm": require_POST(self.disarm_view),
            "copy": require_POST(self.copy_view),
            "go": require_http_methods(["GET", "POST"])(self.go_view),
            "stop": require_http_methods(["GET", "POST"])(self.stop_view),
            "progress": require_GET(self.progress_view),
        }
        mine = [
            path(f"<uuid:pk>/{name}/", self.admin_site.admin_view(view), name=f"campaigns_campaign_{name}")
            for name, view in steps.items()
        ]
        return [*mine, *super().get_urls()]

    def progress_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What the page polls."""
        campaign = self._find(request, pk)
        found = results.progress(campaign)
        return JsonResponse({**asdict(found), "percent": percent(found)})

    def arm_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def step(campaign: Campaign) -> None:
            prepare.request_arm(campaign)
            self._note(request, campaign, "arm")

        return self._step(request, pk, step)

    def disarm_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def step(campaign: Campaign) -> None:
            prepare.disarm(campaign)
            self._note(request, campaign, "disarm")
            self.message_user(request, "Back to draft; nothing was sent.", messages.SUCCESS)

        return self._step(request, pk, step)

    def copy_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Same again: a new draft with the same content and audience."""
        campaign = self._find(request, pk)
        if not may(request, MARKETERS, campaign):
            return self._not_allowed(request)
        twin = edit.copy(campaign, user=request.user if request.user.is_authenticated else None)
        self._note(request, twin, "copy")
        self.message_user(request, "A copy, as a draft: nothing is sent until you arm it and press GO.")
        return HttpResponseRedirect(change_url(twin.pk))

    def go_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """GET: what is about to happen. POST: GO."""
        if request.method == "POST":
            return self._step(request, pk, lambda campaign: self._go(request, campaign))
        campaign = self._find(request, pk)
        if not may(request, MARKETERS, campaign):
            return self._not_allowed(request)
        if campaign.state != Campaign.State.ARMED:
            self._say_why_not(request, campaign)
            return HttpResponseRedirect(change_url(pk))
        return self._page(request, campaign, "go", f"Launch “{campaign}”?", preflight=preflight(campaign))

    def _go(self, request: HttpRequest, campaign: Campaign) -> None:
        # locked, so that what is launched is what the confirmation showed: an edit raises the revision
        shown = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
        if shown.state == Campaign.State.ARMED and str(shown.revision) != request.POST.get("revision"):
            raise Conflict("It was changed or armed again since you looked. Look at it again, then press GO.")
        if launch.go(campaign.tenant_id, campaign.pk, user=self._user(request)):
            self.message_user(request, "GO! It is on its way.", messages.SUCCESS)
        else:
            campaign.refresh_from_db()
            at = f"{campaign.launched_at:%H:%M:%S} UTC" if campaign.launched_at else "before"
            self.message_user(request, f"It was launched already, at {at}. Your press changed nothing.", messages.INFO)

    def stop_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """GET: what stopping means. POST: stop."""
        if request.method == "POST":
            return self._step(request, pk, lambda campaign: self._stop(request, campaign))
        campaign = self._find(request, pk)
        if not may(request, MARKETERS, campaign):
            return self._not_allowed(request)
        return self._page(request, campaign, "stop", f"Stop “{campaign}”?", progress=results.progress(campaign))

    def _stop(self, request: HttpRequest, campaign: Campaign) -> None:
        if control.stop(campaign.tenant_id, campaign.pk, user=self._user(request)):
            self.message_user(request, "Stopped. What is on the wire ends; nothing new begins.", messages.SUCCESS)
        else:
            self.message_user(request, "It was stopped already. Your press changed nothing.", messages.INFO)

    # -- shared ------------------------------------------------------------------------------------------------------

    def _step(self, request: HttpRequest, pk: uuid.UUID, step: Callable[[Campaign], None]) -> HttpResponse:
        campaign = self._find(request, pk)
        if not may(request, MARKETERS, campaign):
            return self._not_allowed(request)
        try:
            step(campaign)
        except NotifierError as error:
            self.message_user(request, error.message, messages.ERROR)
        return HttpResponseRedirect(change_url(pk))

    def _find(self, request: HttpRequest, pk: uuid.UUID) -> Campaign:
        rows = self.get_queryset(request).select_related("tenant", "template__category", "audience")
        found: Campaign = get_object_or_404(rows, pk=pk)
        return found

    def _page(self, request: HttpRequest, campaign: Campaign, name: str, title: str, **context: Any) -> HttpResponse:
        return TemplateResponse(
            request,
            f"admin/campaigns/campaign/{name}.html",
            {
                **self.admin_site.each_context(request),
                "title": title,
                "opts": self.model._meta,
                "original": campaign,
                **context,
            },
        )

    def _not_allowed(self, request: HttpRequest) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": "You may look, not touch"}
        return TemplateResponse(request, "admin/campaigns/not_allowed.html", context, status=403)

    def _say_why_not(self, request: HttpRequest, campaign: Campaign) -> None:
        if campaign.launched_at is not None:
            self.message_user(request, f"It was launched at {campaign.launched_at:%H:%M:%S} UTC.", messages.INFO)
        else:
            self.message_user(request, f"Arm it first; it is {campaign.state}.", messages.WARNING)

    def _user(self, request: HttpRequest) -> Any:
        return request.user if request.user.is_authenticated else None

    def _note(self, request: HttpRequest, campaign: Campaign, verb: str) -> None:
        audit.record(campaign.tenant_id, f"campaign.{verb}", campaign.pk, user=self._user(request))


def change_url(pk: uuid.UUID) -> str:
    return reverse("admin:campaigns_campaign_change", args=[pk])


def percent(progress: results.Progress) -> int:
    """How far the sending is, 0 to 100."""
    return 100 * (progress.total - progress.waiting) // progress.total if progress.total else 0
