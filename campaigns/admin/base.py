"""What the pages of a campaign share: finding the campaign, checking the role, saying what a control did."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from campaigns.audit import Actor
from campaigns.models import Campaign
from notifier.errors import NotifierError
from tenants.admin import LAUNCHERS, may
from tenants.admin.localization.time_zones import activate_zone_of

if TYPE_CHECKING:
    _CampaignModelAdmin = admin.ModelAdmin[Campaign]
else:
    _CampaignModelAdmin = object

View = Callable[..., HttpResponseBase]


class CampaignPage(_CampaignModelAdmin):
    """Base of the mixins of CampaignAdmin. Every change is a POST that may be repeated without harm."""

    def views(self) -> Mapping[str, View]:
        """Name -> view; the name is the last part of the address as well."""
        return {}

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<uuid:pk>/{name}/", self.admin_site.admin_view(view), name=f"campaigns_campaign_{name}")
            for name, view in self.views().items()
        ]
        return [*own, *super().get_urls()]

    def perform(
        self,
        request: HttpRequest,
        pk: uuid.UUID,
        action: Callable[[Campaign], HttpResponse | None],
        allowed: frozenset[str] = LAUNCHERS,
    ) -> HttpResponse:
        """Run `action` if the member has one of the allowed roles, show its error if it raises one, and go back to the
        campaign or to where `action` says."""
        campaign = self.find(request, pk)
        if not may(request, allowed, campaign):
            return self.not_allowed(request)
        try:
            return action(campaign) or HttpResponseRedirect(change_url(pk))
        except NotifierError as error:
            self.message_user(request, error.message, messages.ERROR)
        return HttpResponseRedirect(change_url(pk))

    def find(self, request: HttpRequest, pk: uuid.UUID) -> Campaign:
        """The campaign, if the member may see it; times are shown in its tenant's zone from here on."""
        rows = self.get_queryset(request).select_related("tenant", "template__category", "audience")
        campaign: Campaign = get_object_or_404(rows, pk=pk)
        activate_zone_of(campaign)
        return campaign

    def render(self, request: HttpRequest, campaign: Campaign, name: str, title: str, **context: Any) -> HttpResponse:
        """A page about the campaign, from the template <name>.html."""
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
        context = {**self.admin_site.each_context(request), "title": _("Your role does not allow this")}
        return TemplateResponse(request, "admin/campaigns/not_allowed.html", context, status=403)

    def report(self, request: HttpRequest, changed: bool, success: str, repeat: str) -> None:
        """Say what a control did; a repeat changed nothing."""
        if not changed:
            self.message_user(request, f"{repeat} {_('This request changed nothing.')}", messages.INFO)
        elif success:
            self.message_user(request, success, messages.SUCCESS)


def actor(request: HttpRequest) -> Actor:
    """The member, for the audit log."""
    return Actor(user=request.user if request.user.is_authenticated else None)


def change_url(pk: uuid.UUID) -> str:
    return reverse("admin:campaigns_campaign_change", args=[pk])
