"""What a row of the list of campaigns shows: state, next step, progress, when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Sum
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from campaigns.models import Campaign, CampaignApproval, Shard
from campaigns.states import State
from tenants.admin import OwnedChoices

#: state -> the kind of its badge
KINDS = {
    State.ARMING: "info",
    State.ARMED: "warn",
    State.LAUNCHING: "info",
    State.RUNNING: "info",
    State.PAUSED: "warn",
    State.FINISHED: "good",
    State.CANCELLED: "bad",
    State.FAILED: "bad",
}
#: campaigns of which messages leave or may leave
MOVING = frozenset({State.RUNNING, State.PAUSED})
OwnTemplate = ("template", OwnedChoices)


def badge(kind: str, text: Any) -> SafeString:
    return format_html('<span class="n-badge n-badge--{}">{}</span>', kind, text)


def state_badge(campaign: Campaign) -> SafeString:
    return badge(KINDS.get(State(campaign.state), "muted"), campaign.get_state_display())


def add_list_figures(rows: Sequence[Any]) -> None:
    """Two queries for the rows of one page: what has left of those that move, and which wait for an approval."""
    moving = [row.pk for row in rows if row.state in MOVING]
    sums = Shard.objects.filter(campaign__in=moving).values("campaign_id").order_by()
    figures = {
        row["campaign_id"]: row for row in sums.annotate(size=Sum("size"), sent=Sum("sent"), failed=Sum("failed"))
    }
    waiting = [row.pk for row in rows if row.state in (State.DRAFT, State.ARMED)]
    asked = CampaignApproval.objects.filter(campaign__in=waiting, decision=CampaignApproval.Decision.OPEN)
    asked_ids = set(asked.values_list("campaign_id", flat=True))
    for row in rows:
        row.list_figures, row.approval_asked = figures.get(row.pk), row.pk in asked_ids


def next_step(campaign: Any) -> str:
    """What a person does next, or what the campaign waits for."""
    if campaign.launch_failure and campaign.state in (State.DRAFT, State.ARMED):
        return _("Plan it anew")
    if getattr(campaign, "approval_asked", False):
        return _("Approve it")
    if campaign.state == State.DRAFT and campaign.audience_id is None:
        return _("Choose an audience")
    if campaign.state == State.ARMED and campaign.launch_at is not None:
        return _("Launches itself")
    return {
        State.DRAFT: _("Arm it"),
        State.ARMING: _("Wait: it is being armed"),
        State.ARMED: _("Look, then GO"),
        State.LAUNCHING: _("Can be taken back"),
        State.RUNNING: _("Watch it"),
        State.PAUSED: _("Resume or stop it"),
        State.FINISHED: _("Read the report"),
        State.CANCELLED: _("Read the report"),
    }.get(State(campaign.state), "–")


def progress_bar(campaign: Any) -> SafeString | str:
    figures = getattr(campaign, "list_figures", None)
    if figures is None or not figures["size"]:
        return "100 %" if campaign.state == State.FINISHED else "–"
    percent = min(100, 100 * (figures["sent"] + figures["failed"]) // figures["size"])
    return format_html(
        '<span class="campaign-progress"><progress max="100" value="{}" aria-label="{}"></progress> {} %</span>',
        percent,
        campaign.name,
        percent,
    )


def when(campaign: Campaign) -> str:
    at = campaign.launched_at or campaign.launch_at
    if at is None:
        return "–"
    text = f"{localtime(at):%-d %b %Y, %H:%M}"
    return text if campaign.launched_at else _("planned: %s") % text
