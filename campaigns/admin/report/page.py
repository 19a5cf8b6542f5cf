"""The report of a campaign: its panel, the comparison with another campaign, files, and what to do next (retry the
failed, correct those who got it)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from campaigns.admin.base import CampaignPage, View, actor, change_url
from campaigns.admin.report import plots
from campaigns.arming.planning.corrections import REPLACING
from campaigns.audience import topic_of
from campaigns.edit import corrections
from campaigns.lifecycle.running import retrying
from campaigns.models import Campaign
from campaigns.report import results, stored
from campaigns.report.files import FAILED_HEADER, RESULTS_HEADER, failed_rows, result_rows
from campaigns.report.funnel import CHANNEL, DIMENSIONS, LOCALE, PLATFORM, breakdown, funnel_of
from campaigns.report.stored import Report
from campaigns.states import ENDED, State
from notifier.errors import Conflict
from notifier.values import timestamps
from notifier.values.csv_cells import csv_stream
from notifier.vocabulary.status import Reason, Status
from notifier.web.serving.downloads import Download
from tenants.admin import AUTHORS, may
from tenants.admin.roles import LAUNCHERS

DIMENSION_NAMES = {
    CHANNEL: gettext_lazy("Channel"),
    LOCALE: gettext_lazy("Language"),
    PLATFORM: gettext_lazy("Platform"),
    "provider": gettext_lazy("Provider"),
}
#: campaigns that are offered for a comparison
_OFFERED = 30
#: why a message failed for good whose attempts may begin anew
_RETRYABLE = frozenset(map(str, (Reason.EXHAUSTED, Reason.MISCONFIGURED, Reason.NO_ACCOUNT)))


def report_panel(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """What `_report.html` shows. The caller has checked that the member may see the campaign."""
    report = stored.report_of(campaign)
    if report is None:
        return {"report_is_counting": True, "progress": results.progress(campaign)}
    counted, dimension = report.counted, _chosen(request, "by", DIMENSIONS)
    channel = _chosen(request, "channel", ("", *campaign.channels))
    funnel = funnel_of(counted.cells)
    return {
        "report": counted.results,
        "counted": report,
        "table": results.table(counted.results),
        "funnel": funnel,
        "funnel_figure": plots.funnel_figure([(campaign.name, funnel)]),
        "over_time_figure": plots.over_time_figure(counted, channel),
        "speed_figure": plots.speed_figure(counted.results.throughput),
        "breakdown": breakdown(counted.cells, dimension, counted.accounts).items(),
        "dimension": dimension,
        "dimension_name": DIMENSION_NAMES[dimension],
        "dimensions": DIMENSION_NAMES.items(),
        "channel": channel,
        "others": _others(campaign),
        "may_retry": may(request, LAUNCHERS, campaign) and _has_failed(report, campaign),
        "may_correct": may(request, AUTHORS, campaign) and _is_correctable(campaign) and funnel.sent > 0,
        "opt_out_days": stored.OPT_OUT_DAYS,
    }


class ReportViews(CampaignPage):
    """Mixin of CampaignAdmin."""

    def views(self) -> Mapping[str, View]:
        return {
            **super().views(),
            "compare": require_safe(self.compare_view),
            "results.csv": require_safe(self.results_csv),
            "failed.csv": require_safe(self.failed_csv),
            "retry": require_http_methods(["GET", "POST"])(self.retry_view),
            "correct": require_http_methods(["GET", "POST"])(self.correct_view),
        }

    # -- two campaigns side by side ----------------------------------------------------------------------------------

    def compare_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        campaign = self.find(request, pk)
        other = self._other(request, campaign)
        pairs = [(campaign, stored.report_of(campaign)), (other, stored.report_of(other))]
        ready = [(row, report) for row, report in pairs if report is not None and row.launched_at is not None]
        context: dict[str, Any] = {"other": other, "others": _others(campaign)}
        if len(ready) == 2:
            context |= _comparison(ready)
        return self.render(request, campaign, "compare", _("Compare “%s” with “%s”") % (campaign, other), **context)

    def _other(self, request: HttpRequest, campaign: Campaign) -> Campaign:
        """The campaign to compare with, of the same tenant."""
        rows = self.get_queryset(request).filter(tenant_id=campaign.tenant_id, launched_at__isnull=False)
        try:
            other: Campaign = get_object_or_404(rows.select_related("tenant"), pk=request.GET.get("with", ""))
        except (ValidationError, ValueError):
            raise Http404 from None
        return other

    # -- files -------------------------------------------------------------------------------------------------------

    def results_csv(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
        """Counts by channel, platform, provider, language, status and reason."""
        campaign = self.find(request, pk)
        report = stored.report_of(campaign) if campaign.launched_at is not None else None
        if report is None:
            raise Http404
        return Download(csv_stream(RESULTS_HEADER, result_rows(report.counted)), f"{campaign.name}-results.csv")

    def failed_csv(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
        """The messages that failed, expired or are in doubt."""
        campaign = self.find(request, pk)
        rows: Iterator[Sequence[object]] = failed_rows(campaign)
        return Download(csv_stream(FAILED_HEADER, rows), f"{campaign.name}-failed.csv")

    # -- what to do next ---------------------------------------------------------------------------------------------

    def retry_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """GET: how many would be retried. POST: retry them, once for each look at the page."""
        action = self._retry if request.method == "POST" else self._confirm_retry
        return self.perform(request, pk, lambda campaign: action(request, campaign))

    def _confirm_retry(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        now = datetime.now(UTC)
        counts = retrying.retryable(campaign, now)
        return self.render(
            request, campaign, "retry", _("Retry the failed of “%s”?") % campaign,
            counts=counts, total=sum(counts.values()), before=now.isoformat(),
        )  # fmt: skip

    def _retry(self, request: HttpRequest, campaign: Campaign) -> None:
        before = timestamps.parse(request.POST.get("before", ""))
        if before is None or before.tzinfo is None:
            raise Conflict(_("Open the page “Retry the failed” again, and confirm there."))
        total = sum(retrying.retryable(campaign, before).values())
        changed = retrying.retry(campaign.tenant_id, campaign.pk, before=before, by=actor(request))
        success = ngettext(
            "%(count)s message is tried again.", "%(count)s messages are tried again.", total
        ) % {"count": f"{total:,}"}  # fmt: skip
        self.report(request, changed, success, _("Nothing was left to retry, or it was retried already."))

    def correct_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """GET: to how many addresses a correction would go. POST: make its draft."""
        action = self._correct if request.method == "POST" else self._confirm_correct
        return self.perform(request, pk, lambda campaign: action(request, campaign), AUTHORS)

    def _confirm_correct(self, request: HttpRequest, campaign: Campaign) -> HttpResponse | None:
        corrections.check_correctable(campaign)
        report = stored.report_of(campaign)
        cells = [] if report is None else report.counted.cells
        channels = [
            {
                "name": name,
                "got": sum(
                    cell.messages
                    for cell in cells
                    if cell.channel == name and _arrived(cell.status)
                ),
                "replaces": name in REPLACING,
                "chosen": name in corrections.default_channels(campaign),
            }
            for name in campaign.channels
        ]  # fmt: skip
        title = _("Correct those who got “%s”?") % campaign
        return self.render(request, campaign, "correct", title, channels=channels)

    def _correct(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        draft = corrections.correct(campaign, request.POST.getlist("channels"), by=actor(request))
        self.message_user(
            request,
            _("This draft goes to those who got the other campaign. Nothing is sent before you arm it and press GO."),
        )
        return HttpResponseRedirect(change_url(draft.pk))


def _comparison(ready: Sequence[tuple[Campaign, Report]]) -> dict[str, Any]:
    funnels = [(campaign.name, funnel_of(report.counted.cells)) for campaign, report in ready]
    counted = [(campaign.name, report.counted) for campaign, report in ready]
    return {
        "sides": [
            (campaign, report, funnel) for (campaign, report), (_name, funnel) in zip(ready, funnels, strict=True)
        ],
        "funnel_figure": plots.funnel_figure(funnels),
        "curves": [plots.comparison_figure(counted, step) for step in ("opened", "clicked")],
    }


def _chosen(request: HttpRequest, name: str, choices: Sequence[str]) -> str:
    """The choice in the address; the first one for anything else."""
    value = request.GET.get(name, "")
    return value if value in choices else choices[0]


def _others(campaign: Campaign) -> list[tuple[uuid.UUID, str]]:
    """The tenant's last launched campaigns, for a comparison."""
    rows = Campaign.objects.filter(tenant_id=campaign.tenant_id, launched_at__isnull=False, silent=False)
    return list(rows.exclude(pk=campaign.pk).order_by("-id").values_list("pk", "name")[:_OFFERED])


def _has_failed(report: Report, campaign: Campaign) -> bool:
    """Whether messages failed that may be retried; the page of the retry counts them."""
    return (
        campaign.state == State.FINISHED
        and not campaign.silent
        and any(c.status == Status.FAILED and c.reason in _RETRYABLE for c in report.counted.cells)
    )


def _is_correctable(campaign: Campaign) -> bool:
    return campaign.state in ENDED and not campaign.silent and not topic_of(campaign)


def _arrived(status: int) -> bool:
    return Status.SENT <= status < Status.FAILED and status != Status.BOUNCED
