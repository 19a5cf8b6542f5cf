"""Cards of the home page: what was sent by day and channel, what leaves now, and what is planned next."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from campaigns.admin.home.first_steps import first_steps
from campaigns.audience.budget import rows_within
from campaigns.models import Campaign, Schedule, Shard
from campaigns.report import results
from campaigns.states import State
from notifier.models import Notification, RequestCount
from notifier.vocabulary.ids import id_floor
from tenants.admin.base.visibility import visible_rows
from tenants.admin.home import Card, register_card
from tenants.admin.plots import Axis, PlotText, Series, bar_plot

DAYS = 7
#: rows of a card
SHOWN = 5
#: milliseconds for counting the requests of the API, about 500,000 of them; the card says when there are more
API_COUNT_MS = 100


def register_cards() -> None:
    register_card(Card("first-steps", 5, "admin/campaigns/home/first_steps.html", first_steps, wide=True))
    register_card(Card("sent", 15, "admin/campaigns/home/sent.html", sent, wide=True))
    register_card(Card("leaving", 20, "admin/campaigns/home/leaving.html", leaving))
    register_card(Card("planned", 30, "admin/campaigns/home/planned.html", planned))


def sent(request: HttpRequest) -> Mapping[str, Any] | None:
    """Messages of campaigns by day and channel, from the counts of their shards, and requests of the API by day. A
    message that left at a later attempt is in its campaign's report, and not here.

    Never reads the ledger: 5 M messages of a campaign are 1,000 shards."""
    today = timezone.localdate()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    begin = timezone.make_aware(datetime.combine(days[0], datetime.min.time()))
    api_counts = _api_counts(request, begin)
    counts = _campaign_counts(request, begin) | {"": api_counts or {}}
    by_channel = {channel: [of_day.get(day, 0) for day in days] for channel, of_day in sorted(counts.items())}
    totals = {channel: values for channel, values in by_channel.items() if any(values)}
    if not totals and api_counts is not None:
        return None
    series = [Series.of_values(_name(channel), values) for channel, values in totals.items()]
    names = [formats.date_format(day, "D j") for day in days]
    text = PlotText("sent", _("Sent in the last seven days"), _("Messages by day and channel"))
    return {
        "plot": bar_plot(names, series, text, y=Axis(_("messages")), stacked=True),
        "rows": [(line.name, int(line.ys[-1]), int(sum(line.ys))) for line in series],
        "without_api": api_counts is None,
    }


def _name(channel: str) -> str:
    return channel.replace("_", "-") if channel else _("API requests")


def _campaign_counts(request: HttpRequest, begin: datetime) -> dict[str, dict[date, int]]:
    launched = visible_rows(Campaign.objects.filter(launched_at__gte=begin, silent=False), request)
    rows = (
        visible_rows(Shard.objects.filter(campaign__in=launched.values("pk"), began_at__gte=begin), request)
        .order_by()
        .values("channel", day=TruncDate("began_at"))
        .annotate(count=Sum("sent"))
    )
    counts: dict[str, dict[date, int]] = defaultdict(dict)
    for row in rows:
        counts[row["channel"]][row["day"]] = row["count"] or 0
    return dict(counts)


def _api_counts(request: HttpRequest, begin: datetime) -> dict[date, int] | None:
    """None when counting takes longer than API_COUNT_MS."""
    rows = visible_rows(Notification.objects.filter(pk__gte=id_floor(int(begin.timestamp() * 1000))), request)
    by_day = rows.order_by().values(day=TruncDate("created_at")).annotate(count=Count("pk"))
    try:
        statement = by_day.query.sql_with_params()
    except EmptyResultSet:  # a member of no tenant
        return {}
    counted = rows_within(API_COUNT_MS, *statement)
    return None if counted is None else _with_deleted(request, begin, dict(counted))


def _with_deleted(request: HttpRequest, begin: datetime, counts: dict[date, int]) -> dict[date, int]:
    """Add the requests that a tenant with a short retention has deleted."""
    rows = visible_rows(RequestCount.objects.filter(at__gte=begin), request)
    deleted = rows.order_by().values(day=TruncDate("at")).annotate(count=Sum("requests"))
    return dict(Counter(counts) + Counter({row["day"]: row["count"] for row in deleted}))


def leaving(request: HttpRequest) -> Mapping[str, Any] | None:
    """Campaigns that are under way, with what is left of each."""
    rows = Campaign.objects.filter(state__in=[State.LAUNCHING, State.RUNNING, State.PAUSED])
    campaigns = list(visible_rows(rows, request).order_by("-launched_at")[:SHOWN])
    if not campaigns:
        return None
    return {"campaigns": [(campaign, results.progress(campaign)) for campaign in campaigns[:3]]}


def planned(request: HttpRequest) -> Mapping[str, Any] | None:
    """What launches itself next: planned campaigns and the slots of schedules, the earliest first."""
    campaigns = Campaign.objects.filter(
        launch_at__isnull=False, launched_at__isnull=True, launch_failure="", state__in=[State.DRAFT, State.ARMED]
    )
    schedules = Schedule.objects.filter(state=Schedule.State.ACTIVE, next_at__isnull=False)
    rows = [(row.launch_at, row, "campaign") for row in visible_rows(campaigns, request).order_by("launch_at")[:SHOWN]]
    rows += [(row.next_at, row, "schedule") for row in visible_rows(schedules, request).order_by("next_at")[:SHOWN]]
    rows.sort(key=lambda entry: entry[0])
    return {"entries": rows[:SHOWN]} if rows else None
