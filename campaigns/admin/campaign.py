"""Campaigns: the list, the form, and a page that always shows the state of the campaign and the next step."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from campaigns.admin.audience import report_upload
from campaigns.admin.checklist import ChecklistViews, last_test_outcomes, last_tester
from campaigns.admin.controls import ControlViews, buttons
from campaigns.admin.explain import ExplainView
from campaigns.admin.forms import LAUNCH_SETTINGS, CampaignForm
from campaigns.admin.left_out import LeftOutView
from campaigns.admin.live import SHOWN_LIVE, live_panel, percent
from campaigns.admin.page import actor, change_url
from campaigns.admin.report import ReportViews, report_panel
from campaigns.admin.variants import VariantViews, variants_card
from campaigns.admin.workflow import Workflow
from campaigns.audience import count_recipients, loading, topic_of
from campaigns.edit import campaigns, drafts, uploads
from campaigns.lifecycle import canary
from campaigns.models import Campaign
from campaigns.preflight.checklist import checklist
from campaigns.preflight.preflight import preflight, read_seconds
from campaigns.report import results
from campaigns.states import LAUNCHED, State
from notifier.errors import NotifierError
from tenants.admin import LAUNCHERS, TenantModelAdmin, may

#: what a state means, for the reader of the page
STATE_TEXTS = {
    State.DRAFT: "Draft. Arm it to check everything and see what will leave; nothing is sent yet.",
    State.ARMING: "Arming: the audience is frozen, and each message is checked and stored.",
    State.ARMED: "Armed. Everything is checked and ready; nothing leaves before GO.",
    State.LAUNCHING: "GO was pressed. Nothing has left yet: GO can still be taken back.",
    State.RUNNING: "Running. Messages are leaving.",
    State.PAUSED: "Paused. Nothing leaves until it is resumed.",
    State.FINISHED: "Finished. Every message is accounted for.",
    State.CANCELLED: "Stopped. Messages that had not left will not leave.",
    State.FAILED: "Failed.",
}
#: states in which the page polls every second
MOVING = frozenset({State.ARMING, State.LAUNCHING, State.RUNNING, State.PAUSED})


class CampaignAdmin(
    ReportViews, Workflow, ControlViews, ChecklistViews, ExplainView, LeftOutView, VariantViews, TenantModelAdmin
):
    group = "Campaigns"
    icon = "campaign"
    rank = 10
    audited_by_domain = True
    form = CampaignForm
    list_display = ("name", "state_badge", "audience", "people", "channel_names", "launch_at", "launched_at")
    list_filter = ("state", "mode", "silent")
    list_select_related = ("tenant", "template", "audience")
    readonly_fields = ("wall_clock",)
    search_fields = ("name", "template__key")
    ordering = ("-id",)
    change_form_template = "admin/campaigns/campaign/change_form.html"

    class Media:
        css = {"all": ["campaigns/campaign.css"]}

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fields = [
            "tenant",
            "name",
            "template",
            "channels",
            "audience",
            "upload",
            "data",
            "mode",
            "not_after",
            "launch_at",
            "local_time",
        ]
        if obj is not None and not self.has_change_permission(request, obj):
            fields.remove("upload")
            # Django would show the time with a zone that it does not have
            fields[fields.index("local_time")] = "wall_clock"
        return [
            (None, {"fields": fields}),
            ("Launch settings", {"fields": list(LAUNCH_SETTINGS), "classes": ["collapse"]}),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A campaign that was launched is shown and never edited, and so is a silent run."""
        editable = obj is None or (obj.state not in LAUNCHED and not obj.silent)
        return super().has_change_permission(request, obj) and editable

    # -- deleting ----------------------------------------------------------------------------------------------------

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.state == State.DRAFT)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The rule of the API decides. Silent runs of a draft stay, with reports of their own."""
        rows = list(objs)
        refused = [f"{row}: {why}" for row in rows if (why := drafts.reason_to_keep(row))]
        # by role in each row's own tenant; a state that forbids it is in `refused`
        lacking = {str(self.opts.verbose_name) for row in rows if not may(request, self.edited_by, row)}
        return [str(row) for row in rows], {self.opts.verbose_name_plural: len(rows)}, lacking, refused

    def delete_model(self, request: HttpRequest, obj: Campaign) -> None:
        drafts.delete(obj, by=actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for campaign in queryset:
            drafts.delete(campaign, by=actor(request))

    # -- the list ----------------------------------------------------------------------------------------------------

    @admin.display(description="state", ordering="state")
    def state_badge(self, campaign: Campaign) -> SafeString:
        silent = format_html(' <span class="state state-silent">{}</span>', "silent") if campaign.silent else ""
        return format_html('<span class="state state-{}">{}</span>{}', campaign.state, campaign.state, silent)

    @admin.display(description="At each recipient's local time")
    def wall_clock(self, campaign: Campaign) -> str:
        return f"{campaign.local_time:%-d %B %Y, %H:%M}" if campaign.local_time else ""

    @admin.display(description="people", ordering="audience_size")
    def people(self, campaign: Campaign) -> str:
        return f"{campaign.audience_size:,}" if campaign.audience_size else "–"

    @admin.display(description="channels")
    def channel_names(self, campaign: Campaign) -> str:
        return ", ".join(campaign.channels)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Related rows can be viewed and added here; they are changed and deleted on their own pages."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget.can_change_related = field.widget.can_delete_related = False
        return field

    # -- saving ------------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        fields = form.campaign_fields()
        if file := form.cleaned_data.get("upload"):
            audience, job = uploads.for_campaign(obj.tenant, fields["name"], uploads.Upload(file, actor(request)))
            fields["audience"] = audience.pk
            report_upload(self, request, job)
        if change:
            state_before = obj.state
            saved = campaigns.update(obj, fields, by=actor(request))
            self.message_user(request, _saved(state_before, saved.state))
        else:
            saved = campaigns.create(obj.tenant, fields, by=actor(request))
            self.message_user(request, "Saved as a draft. Arm it next: everything is checked, and nothing leaves.")
        obj.pk = saved.pk
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Stay on the campaign's page, which shows the next step."""
        return HttpResponseRedirect(change_url(obj.pk))

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return HttpResponseRedirect(change_url(obj.pk))

    # -- showing -----------------------------------------------------------------------------------------------------

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = {"show_save_and_continue": False, "show_save_and_add_another": False, **(extra_context or {})}
        try:
            campaign = self.get_object(request, object_id) if object_id else None
            if campaign is not None and request.method == "GET":
                extra |= self.panel(request, campaign)
            return super().changeform_view(request, object_id, form_url, extra)
        except NotifierError as error:
            # the campaign was launched, or its list was replaced, between opening the form and saving it
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def panel(self, request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
        """The panel above the form: the state, what the state means, the next step, and its figures."""
        state = State(campaign.state)
        # not named `original`: the form reads its own object again, which may be in a later state
        panel: dict[str, Any] = {"shown": campaign, "state_text": STATE_TEXTS[state], "buttons": buttons(campaign)}
        panel["may_act"] = may(request, LAUNCHERS, campaign)
        panel["waits"] = state == State.PAUSED and campaign.halted.endswith(canary.LOOK_AT_CANARY)
        panel |= variants_card(request, campaign)
        if not campaign.silent and state != State.ARMING:
            panel |= {"checklist": checklist(campaign), "tester": last_tester(request, campaign)}
            panel["outcomes"] = last_test_outcomes(request, campaign)
        if state in (State.DRAFT, State.ARMING) and campaign.audience is not None:
            panel |= {"people": count_recipients(campaign.audience), "topic": topic_of(campaign)}
            panel["upload"] = loading.running_upload(campaign.audience.pk)
        launches_itself = campaign.silent or (campaign.launch_at is not None and not campaign.launch_failure)
        if state in SHOWN_LIVE:
            panel |= live_panel(campaign)
        elif state in MOVING or (launches_itself and state == State.ARMED):
            progress = results.progress(campaign)
            panel |= {"progress": progress, "percent": percent(progress), "seconds_left": _seconds_left(campaign)}
        if state in (State.ARMED, State.LAUNCHING):
            panel["preflight"] = preflight(campaign, read_seconds(request.GET.get("seconds")))
        if campaign.launched_at is not None and state not in MOVING:
            panel |= report_panel(request, campaign)
        return panel


def _saved(before: str, after: str) -> str:
    if after != before:
        return "Saved. The campaign is a draft again, because its messages changed: arm it anew."
    return "Saved. The campaign is still armed: its messages did not change." if after == State.ARMED else "Saved."


def _seconds_left(campaign: Campaign) -> float | None:
    """Seconds until the hold is over."""
    if campaign.state != State.LAUNCHING or campaign.hold_until is None:
        return None
    return max(0.0, (campaign.hold_until - datetime.now(UTC)).total_seconds())
