"""Pages of a campaign: who was left out and why, as lists, as CSV, and as an audience of those who may be reached
otherwise."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from campaigns.admin.audience.builder import CHANNEL_LABELS
from campaigns.admin.audience.looking import reason_text
from campaigns.admin.audience.reports import report_upload
from campaigns.admin.base import CampaignPage, View, actor
from campaigns.admin.launch.approval import role_reason
from campaigns.audience import left_out
from campaigns.edit import left_out as edit
from campaigns.models import Campaign
from notifier.channels import channels
from notifier.values.csv_cells import csv_stream
from notifier.vocabulary.ids import parse_id
from notifier.vocabulary.status import Reason
from notifier.web.serving.downloads import Download
from tenants.access import scope
from tenants.admin import AUTHORS, LAUNCHERS, may

_COLUMNS = ("external_id", "name", "email", "phone", "locale", "platform", "detail")


class LeftOutView(CampaignPage):
    """Mixin of CampaignAdmin."""

    def views(self) -> Mapping[str, View]:
        return {
            **super().views(),
            "left_out": require_safe(self.left_out_view),
            "left_out_csv": require_safe(self.left_out_csv_view),
            "left_out_audience": require_POST(self.left_out_audience_view),
        }

    def left_out_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """The counts by reason, and one page of people of the chosen reason."""
        campaign = self.find(request, pk)
        rows = [
            {
                "count": row,
                "text": reason_text(row.reason),
                "channel": CHANNEL_LABELS.get(row.channel, row.channel),
            }
            for row in left_out.counts_of(campaign)
        ]
        context: dict[str, Any] = {"rows": rows, "unreached": campaign.unreached}
        chosen = _chosen(request.GET)
        if chosen is not None:
            reason, channel = chosen
            after, before = (parse_id(request.GET.get(name)) for name in ("after", "before"))
            context |= {
                "page": left_out.page_of(campaign, reason, channel, after=after, before=before),
                "reason": reason,
                "channel": channel,
                "why_no_file": role_reason(request, campaign, LAUNCHERS),
                "reason_text": reason_text(reason),
                "channel_text": CHANNEL_LABELS.get(channel, channel),
                "may_be_reached": reason not in left_out.WILL,
            }
        title = _("Who was left out of “%(name)s”") % {"name": campaign.name}
        return self.render(request, campaign, "left_out", title, **context)

    def left_out_csv_view(self, request: HttpRequest, pk: uuid.UUID) -> Any:
        """Every person of one reason, with the addresses that lists of the admin mask; streamed in pieces: each is a
        short transaction of its own."""
        campaign = self.find(request, pk)
        if not may(request, LAUNCHERS, campaign):
            return self.not_allowed(request)
        chosen = _chosen(request.GET)
        if chosen is None:
            return HttpResponseRedirect(_page_url(campaign))
        rows = _rows(campaign, *chosen)
        return Download(csv_stream(_COLUMNS, rows), f"left-out-{chosen[0]}-{chosen[1]}.csv")

    def left_out_audience_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Make a list of the people of one reason."""

        def make(campaign: Campaign) -> HttpResponse | None:
            chosen = _chosen(request.POST)
            if chosen is None:
                return HttpResponseRedirect(_page_url(campaign))
            audience, job = edit.make_audience(campaign, *chosen, by=actor(request))
            report_upload(self, request, job)
            return HttpResponseRedirect(reverse("admin:campaigns_audience_change", args=[audience.pk]))

        return self.perform(request, pk, make, AUTHORS)


def _page_url(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_left_out", args=[campaign.pk])


def _chosen(values: Any) -> tuple[str, str] | None:
    """The reason and the channel of an address; None unless both exist."""
    reason, channel = values.get("reason", ""), values.get("channel", "")
    return (reason, channel) if reason in list(Reason) and channel in channels() else None


def _rows(campaign: Campaign, reason: str, channel: str) -> Iterator[tuple[Any, ...]]:
    """The rows, piece by piece. The request's transaction is over while a response streams, so each piece names the
    tenant again."""
    key: uuid.UUID | None = None
    while True:
        with scope(campaign.tenant_id):
            piece = left_out.piece_of(campaign, reason, channel, key)
        if not piece:
            return
        yield from (row[1:] for row in piece)
        key = piece[-1][0]
