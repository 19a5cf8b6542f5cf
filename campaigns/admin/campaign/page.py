"""Campaigns: the list, the form, and a page that always shows the state of the campaign and the next step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.admin.audience import report_upload
from campaigns.admin.base import actor, change_url
from campaigns.admin.campaign.form import LAUNCH_SETTINGS, CampaignForm
from campaigns.admin.campaign.listing import (
    OwnTemplate,
    add_list_figures,
    badge,
    next_step,
    progress_bar,
    state_badge,
    when,
)
from campaigns.admin.campaign.writing import WritingViews, form_texts
from campaigns.admin.launch.approval import ApprovalViews, approval_context, reasons
from campaigns.admin.launch.checklist import ChecklistViews, last_test_outcomes, last_tester
from campaigns.admin.launch.controls import ControlViews, buttons
from campaigns.admin.launch.live import SHOWN_LIVE, live_panel, percent
from campaigns.admin.launch.workflow import Workflow
from campaigns.admin.report.explain import ExplainView
from campaigns.admin.report.left_out import LeftOutView
from campaigns.admin.report.page import ReportViews, report_panel
from campaigns.admin.variants.page import VariantViews, variants_card
from campaigns.approval import clearance
from campaigns.audience import Reach, is_kept, loading, people_of, topic_of
from campaigns.edit import campaigns, drafts, uploads
from campaigns.lifecycle.running import canary
from campaigns.models import Campaign
from campaigns.preflight.preflight import preflight, read_seconds
from campaigns.preflight.road import Known, canary_of, road, share_first
from campaigns.report import results
from campaigns.states import LAUNCHED, State
from notifier.errors import NotifierError
from notifier.vocabulary.ids import parse_id
from tenants.admin import LAUNCHERS, TenantModelAdmin, may
from tenants.admin.person_reads import record_read

#: what a state means, for the reader of the page
STATE_TEXTS = {
    State.DRAFT: _("Draft. Arm it to check everything and see what will leave; nothing is sent yet."),
    State.ARMING: _("Arming: the audience is frozen, and each message is checked and stored."),
    State.ARMED: _("Armed. Everything is checked and ready; nothing leaves before GO."),
    State.LAUNCHING: _("GO was pressed. Nothing has left yet: GO can still be taken back."),
    State.RUNNING: _("Running. Messages are leaving."),
    State.PAUSED: _("Paused. Nothing leaves until it is resumed."),
    State.FINISHED: _("Finished. Every message is accounted for."),
    State.CANCELLED: _("Stopped. Messages that had not left will not leave."),
    State.FAILED: _("Failed."),
}
#: seconds in which GO of a new campaign can be taken back; the API's default is none
HOLD_BY_HAND = 10
#: milliseconds for counting the audience of a draft; a larger audience is estimated, and the page says so
COUNT_MS = 150
#: states in which the page polls every second
MOVING = frozenset({State.ARMING, State.LAUNCHING, State.RUNNING, State.PAUSED})


class CampaignAdmin(
    ReportViews,
    Workflow,
    ControlViews,
    ApprovalViews,
    ChecklistViews,
    WritingViews,
    ExplainView,
    LeftOutView,
    VariantViews,
    TenantModelAdmin,
):
    group = "Campaigns"
    icon = "campaign"
    rank = 10
    audited_by_domain = True
    form = CampaignForm
    list_display = ("name", "state_badge", "next_step", "progress", "people", "channel_names", "when", "who")
    list_filter = ("state", "mode", "silent", OwnTemplate)
    list_select_related = ("tenant", "template", "audience", "created_by")
    readonly_fields = ("wall_clock",)
    search_fields = ("name", "template__key")
    ordering = ("-id",)
    change_form_template = "admin/campaigns/campaign/change_form.html"

    class Media:
        css = {"all": ["campaigns/campaign.css"]}

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        audience, when = ["audience", "upload"], ["launch_at", "local_time", "not_after"]
        if obj is not None and not self.has_change_permission(request, obj):
            audience.remove("upload")
            # Django would show the time with a zone that it does not have
            when[when.index("local_time")] = "wall_clock"
        return [
            (_("Content"), {"fields": ["tenant", "name", "template", "channels", "data"], "classes": ["road-content"]}),
            (_("Audience"), {"fields": audience, "classes": ["road-audience"]}),
            (
                _("When"),
                {
                    "fields": when,
                    "classes": ["road-when"],
                    "description": _("Empty: as soon as a person presses GO. Again and again: make a schedule of it."),
                },
            ),
            (_("Advanced"), {"fields": ["mode", *LAUNCH_SETTINGS], "classes": ["collapse"]}),
        ]

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        """A campaign that is written by hand can be taken back for ten seconds."""
        return {"hold_seconds": HOLD_BY_HAND, **super().get_changeform_initial_data(request)}

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

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        add_list_figures(changes.result_list)
        return changes

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, campaign: Campaign) -> SafeString:
        silent = badge("muted", _("silent")) if campaign.silent else ""
        return format_html("{} {}", state_badge(campaign), silent)

    @admin.display(description=_("next step"))
    def next_step(self, campaign: Campaign) -> str:
        return next_step(campaign)

    @admin.display(description=_("progress"))
    def progress(self, campaign: Campaign) -> SafeString | str:
        return progress_bar(campaign)

    @admin.display(description=_("when"), ordering="launched_at")
    def when(self, campaign: Campaign) -> str:
        return when(campaign)

    @admin.display(description=_("by"), ordering="created_by__username")
    def who(self, campaign: Campaign) -> str:
        return str(campaign.created_by) if campaign.created_by else "–"

    @admin.display(description=_("At each recipient's local time"))
    def wall_clock(self, campaign: Campaign) -> str:
        return f"{campaign.local_time:%-d %B %Y, %H:%M}" if campaign.local_time else ""

    @admin.display(description=_("people"), ordering="audience_size")
    def people(self, campaign: Campaign) -> str:
        return f"{campaign.audience_size:,}" if campaign.audience_size else "–"

    @admin.display(description=_("channels"))
    def channel_names(self, campaign: Campaign) -> str:
        return ", ".join(campaign.channels).replace("_", "-")

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
            self.message_user(
                request, gettext("Saved as a draft. Arm it next: everything is checked, and nothing leaves.")
            )
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
        extra["form_texts"] = form_texts()
        try:
            if request.method == "GET" and (pk := parse_id(object_id)) is not None:
                rows = self.get_queryset(request).select_related("tenant", "template__category", "audience", "version")
                if (campaign := rows.filter(pk=pk).first()) is not None:
                    extra |= self.panel(request, campaign)
            return super().changeform_view(request, object_id, form_url, extra)
        except NotifierError as error:
            # the campaign was launched, or its list was replaced, between opening the form and saving it
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def panel(self, request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
        """What the page shows beside the form: the state, the steps to GO, the figures."""
        state = State(campaign.state)
        # not named `original`: the form reads its own object again, which may be in a later state
        panel: dict[str, Any] = {"shown": campaign, "state_text": STATE_TEXTS[state], "buttons": buttons(campaign)}
        panel |= {"may_act": may(request, LAUNCHERS, campaign), "reasons": reasons(request, campaign)}
        panel["waits"] = state == State.PAUSED and campaign.halted.endswith(canary.LOOK_AT_CANARY)
        panel |= variants_card(request, campaign)
        panel["may_limit"] = state in (State.LAUNCHING, State.RUNNING, State.PAUSED)
        if state in (State.DRAFT, State.ARMING) and campaign.audience is not None:
            reach = people_of(campaign.audience, ms=COUNT_MS) if is_kept(campaign.audience) else Reach(None)
            panel |= {"people": reach.people, "people_exact": reach.exact, "topic": topic_of(campaign)}
            panel["upload"] = loading.running_upload(campaign.audience.pk)
        launches_itself = campaign.silent or (campaign.launch_at is not None and not campaign.launch_failure)
        if state in SHOWN_LIVE:
            panel |= live_panel(campaign)
        elif state in MOVING or (launches_itself and state == State.ARMED):
            progress = results.progress(campaign)
            panel |= {"progress": progress, "percent": percent(progress), "seconds_left": _seconds_left(campaign)}
        if state in (State.ARMED, State.LAUNCHING):
            panel["preflight"] = checked = preflight(campaign, read_seconds(request.GET.get("seconds")))
            if checked.person is not None:
                record_read(request, campaign.tenant_id, checked.person.id, "preview")
        if campaign.launched_at is not None and state not in MOVING:
            panel |= report_panel(request, campaign)
        if not campaign.silent:
            panel |= _steps(request, campaign, panel)
        return panel


def _steps(request: HttpRequest, campaign: Campaign, panel: Mapping[str, Any]) -> dict[str, Any]:
    """The steps to GO, and what their cards need."""
    checked, cleared = panel.get("preflight"), clearance(campaign)
    armed_people = campaign.audience_size if campaign.armed_at is not None else None
    known = Known(
        clearance=cleared,
        people=panel.get("people", armed_people),
        people_exact=panel.get("people_exact", True),
        warnings=checked.warnings if checked is not None else None,
        loading=bool(panel.get("upload")),
    )
    steps = road(campaign, known)
    context: dict[str, Any] = {"road": steps, "clearance": cleared, "share_first": share_first(campaign)}
    context["done"] = sum(step.state in ("done", "skipped") for step in steps)
    if campaign.state not in LAUNCHED or campaign.state == State.LAUNCHING:
        context |= {"tester": last_tester(request, campaign), "outcomes": last_test_outcomes(request, campaign)}
        context |= {"canary": canary_of(campaign)["size"], **approval_context(request, campaign)}
    return context


def _saved(before: str, after: str) -> str:
    if after != before:
        return gettext("Saved. The campaign is a draft again, because its messages changed: arm it anew.")
    if after == State.ARMED:
        return gettext("Saved. The campaign is still armed: its messages did not change.")
    return gettext("Saved.")


def _seconds_left(campaign: Campaign) -> float | None:
    """Seconds until the hold is over."""
    if campaign.state != State.LAUNCHING or campaign.hold_until is None:
        return None
    return max(0.0, (campaign.hold_until - datetime.now(UTC)).total_seconds())
