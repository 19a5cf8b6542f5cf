"""Campaigns: the list, the form, and a page that always says where the campaign stands and what comes next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from campaigns import audience as audiences
from campaigns.admin.audience import tell
from campaigns.admin.charts import sparkline
from campaigns.admin.checklist import Rungs, outcomes, tester
from campaigns.admin.controls import Controls
from campaigns.admin.forms import LEAVING, CampaignForm
from campaigns.admin.road import Road, percent
from campaigns.audience import loading
from campaigns.edit import campaigns, drafts, uploads
from campaigns.lifecycle import canary
from campaigns.models import Campaign
from campaigns.preflight.checklist import checklist
from campaigns.preflight.preflight import preflight, read_seconds
from campaigns.report import results
from campaigns.states import LAUNCHED, State
from notifier.errors import NotifierError
from tenants.admin import MARKETERS, TenantModelAdmin, may

#: what a state means to the person who looks at it
SAYS = {
    State.DRAFT: "Draft. Arm it to check everything and see what will leave; nothing is sent yet.",
    State.ARMING: "Arming: the audience is frozen, each message is checked and written down.",
    State.ARMED: "Armed. Everything is checked and ready; nothing leaves before somebody presses GO.",
    State.LAUNCHING: "GO was pressed. Nothing has left yet: it can still be taken back.",
    State.RUNNING: "Running. Messages are leaving.",
    State.PAUSED: "Paused. Nothing leaves until it is resumed.",
    State.FINISHED: "Finished. Every message is accounted for.",
    State.CANCELLED: "Stopped. What had not left will not leave.",
    State.FAILED: "Failed.",
}
#: states in which the page asks again every second
MOVING = frozenset({State.ARMING, State.LAUNCHING, State.RUNNING, State.PAUSED})


class CampaignAdmin(Road, Controls, Rungs, TenantModelAdmin):
    group = "Campaigns"
    rank = 10
    form = CampaignForm
    list_display = ("name", "state_badge", "audience", "people", "channel_names", "launched_at")
    list_filter = ("state", "mode", "silent")
    list_select_related = ("tenant", "template", "audience")
    search_fields = ("name", "template__key")
    ordering = ("-id",)
    change_form_template = "admin/campaigns/campaign/change_form.html"

    class Media:
        css = {"all": ["campaigns/campaign.css"]}

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fields = ["tenant", "name", "template", "channels", "audience", "upload", "data", "mode", "not_after"]
        if obj is not None and not self.has_change_permission(request, obj):
            fields.remove("upload")
        return [(None, {"fields": fields}), ("How it leaves", {"fields": list(LEAVING), "classes": ["collapse"]})]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was launched is shown, never edited; nor is a silent run, which is what its campaign was."""
        editable = obj is None or (obj.state not in LAUNCHED and not obj.silent)
        return super().has_change_permission(request, obj) and editable

    # -- deleting ----------------------------------------------------------------------------------------------------

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.state == State.DRAFT)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A draft goes by the rule of the API; its silent runs stay, with reports of their own."""
        rows = list(objs)
        refused = [f"{row}: {why}" for row in rows if (why := drafts.why_not(row))]
        # by role in each row's own tenant; a state that forbids it is told in `refused`
        lacking = {str(self.opts.verbose_name) for row in rows if not may(request, self.edited_by, row)}
        return [str(row) for row in rows], {self.opts.verbose_name_plural: len(rows)}, lacking, refused

    def delete_model(self, request: HttpRequest, obj: Campaign) -> None:
        drafts.delete(obj, self.by(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for campaign in queryset:
            drafts.delete(campaign, self.by(request))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Whoever deletes a draft writes the entry of the audit log."""
        return []

    # -- the list ----------------------------------------------------------------------------------------------------

    @admin.display(description="state", ordering="state")
    def state_badge(self, campaign: Campaign) -> SafeString:
        silent = format_html(' <span class="state state-silent">{}</span>', "silent") if campaign.silent else ""
        return format_html('<span class="state state-{}">{}</span>{}', campaign.state, campaign.state, silent)

    @admin.display(description="people", ordering="audience_size")
    def people(self, campaign: Campaign) -> str:
        return f"{campaign.audience_size:,}" if campaign.audience_size else "–"

    @admin.display(description="channels")
    def channel_names(self, campaign: Campaign) -> str:
        return ", ".join(campaign.channels)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Choices can be looked at and added to here; changing or deleting them belongs on their own pages."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget.can_change_related = field.widget.can_delete_related = False
        return field

    # -- saving ------------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        wanted = form.wanted()
        if upload := form.cleaned_data.get("upload"):
            sent = uploads.Upload(upload, self.by(request).user)
            uploaded, job = uploads.for_campaign(obj.tenant, wanted["name"], sent)
            wanted["audience"] = uploaded.pk
            tell(self, request, job)
        if change:
            was = obj.state
            saved = campaigns.update(obj, wanted)
            self.message_user(request, _saved(was, saved.state))
        else:
            saved = campaigns.create(obj.tenant, wanted, user=self.by(request).user)
            self.message_user(request, "Saved as a draft. Arm it next: everything is checked, and nothing leaves.")
        obj.pk = saved.pk
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Stay on the campaign: its next step is there."""
        return HttpResponseRedirect(reverse("admin:campaigns_campaign_change", args=[obj.pk]))

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:campaigns_campaign_change", args=[obj.pk]))

    # -- showing -----------------------------------------------------------------------------------------------------

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = {"show_save_and_continue": False, "show_save_and_add_another": False, **(extra_context or {})}
        try:
            campaign = self.get_object(request, object_id) if object_id else None
            if campaign is not None and request.method == "GET":
                extra |= self.where_it_stands(request, campaign)
            return super().changeform_view(request, object_id, form_url, extra)
        except NotifierError as error:
            # it was launched, or its list was taken, between opening the form and saving it
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def where_it_stands(self, request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
        """What the panel above the form shows: the state, the next step, and what goes with it."""
        state = State(campaign.state)
        # `shown`, because the form's own object is read again, and may be a state further
        found: dict[str, Any] = {"shown": campaign, "says": SAYS[state], "may_act": may(request, MARKETERS, campaign)}
        found["waits"] = state == State.PAUSED and campaign.halted.endswith(canary.LOOK)
        if not campaign.silent and state != State.ARMING:
            found |= {"ladder": checklist(campaign), "tester": tester(request, campaign)}
            found["outcomes"] = outcomes(request, campaign)
        if state in (State.DRAFT, State.ARMING) and campaign.audience is not None:
            found["people"] = audiences.count_recipients(campaign.audience)
            found["upload"] = loading.running_upload(campaign.audience.pk)
        if state in MOVING or (campaign.silent and state == State.ARMED):
            progress = results.progress(campaign)
            found |= {"progress": progress, "percent": percent(progress), "seconds_left": _seconds_left(campaign)}
        if state in (State.ARMED, State.LAUNCHING):
            found["preflight"] = preflight(campaign, read_seconds(request.GET.get("seconds")))
        if campaign.launched_at is not None and state not in MOVING:
            report = results.results(campaign)
            found |= {"report": report, "table": results.table(report), "curve": sparkline(report.throughput)}
        return found


def _saved(was: str, state: str) -> str:
    if state != was:
        return "Saved. It is a draft again, because its messages changed: arm it anew."
    return "Saved. It is still armed: nothing in its messages changed." if state == State.ARMED else "Saved."


def _seconds_left(campaign: Campaign) -> float | None:
    """Until a held launch leaves."""
    if campaign.state != State.LAUNCHING or campaign.hold_until is None:
        return None
    return max(0.0, (campaign.hold_until - datetime.now(UTC)).total_seconds())
