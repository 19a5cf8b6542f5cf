"""What the steps of a campaign's road share: finding the campaign, asking for the role, saying what was done."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from campaigns.lifecycle.transition import By, record_control
from campaigns.models import Campaign
from notifier.errors import NotifierError
from tenants.admin import MARKETERS, may
from tenants.admin.time_zones import activate_zone_of

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Campaign]
else:
    _Admin = object

View = Callable[..., HttpResponse]


class CampaignPage(_Admin):
    """Base of the mixins of CampaignAdmin. Every step is a POST that may be repeated without harm."""

    def steps(self) -> Mapping[str, View]:
        """Name -> view; the name is the last part of the address, too."""
        return {}

    def get_urls(self) -> list[URLPattern]:
        mine = [
            path(f"<uuid:pk>/{name}/", self.admin_site.admin_view(view), name=f"campaigns_campaign_{name}")
            for name, view in self.steps().items()
        ]
        return [*mine, *super().get_urls()]

    def step(self, request: HttpRequest, pk: uuid.UUID, do: Callable[[Campaign], HttpResponse | None]) -> HttpResponse:
        """Do it if the member may, say what went wrong if it did, and go back to the campaign (or where `do` says)."""
        campaign = self.find(request, pk)
        if not may(request, MARKETERS, campaign):
            return self.not_allowed(request)
        try:
            return do(campaign) or HttpResponseRedirect(change_url(pk))
        except NotifierError as error:
            self.message_user(request, error.message, messages.ERROR)
        return HttpResponseRedirect(change_url(pk))

    def find(self, request: HttpRequest, pk: uuid.UUID) -> Campaign:
        rows = self.get_queryset(request).select_related("tenant", "template__category", "audience")
        found: Campaign = get_object_or_404(rows, pk=pk)
        activate_zone_of(found)
        return found

    def page(self, request: HttpRequest, campaign: Campaign, name: str, title: str, **context: Any) -> HttpResponse:
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

    def not_allowed(self, request: HttpRequest) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": "You may look, not touch"}
        return TemplateResponse(request, "admin/campaigns/not_allowed.html", context, status=403)

    def say(self, request: HttpRequest, changed: bool, done: str, repeat: str) -> None:
        """What a step did; a repeat changed nothing."""
        if changed:
            self.message_user(request, done, messages.SUCCESS)
        else:
            self.message_user(request, f"{repeat} Your press changed nothing.", messages.INFO)

    def by(self, request: HttpRequest) -> By:
        return By(user=request.user if request.user.is_authenticated else None)

    def note(self, request: HttpRequest, campaign: Campaign, name: str) -> None:
        record_control(campaign, name, self.by(request))


def change_url(pk: uuid.UUID) -> str:
    return reverse("admin:campaigns_campaign_change", args=[pk])
