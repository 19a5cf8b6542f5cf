"""Schedules: the list, the form with the next slots and those that ran, the buttons, and the calendar of all
schedules."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from campaigns.admin.base import actor
from campaigns.models import Campaign, Schedule, ScheduleSlot
from campaigns.schedules import control, edit
from campaigns.schedules.fields import utc_now
from campaigns.schedules.rules.month import month_of, weeks
from campaigns.schedules.upcoming import next_slots
from notifier.errors import NotifierError
from notifier.vocabulary.ids import parse_id
from tenants.admin import LAUNCHERS, TenantForm, TenantModelAdmin, may
from tenants.admin.base.json_field import JsonField
from tenants.admin.base.visibility import sees_several_tenants, visible_rows
from tenants.admin.localization.time_zones import activate_zone_of

#: schedules that the calendar shows, and slots that ran on a schedule's page
IN_CALENDAR, RECENT = 200, 20
WHEN = ("at", "rrule", "cron", "starts", "ends", "timezone", "local")
HELP = {
    "name": "Campaigns are named after it, with the time of their slot.",
    "at": "Once, at this time of the zone below. Choose one of these three.",
    "rrule": "Again and again: a rule such as FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0. FREQ is MINUTELY (with an "
    "INTERVAL of 15 or more), HOURLY, DAILY, WEEKLY or MONTHLY.",
    "cron": "Again and again: minute, hour, day of the month, month and day of the week, such as 0 9 * * 1.",
    "starts": "Of a rule: its first day, from which an INTERVAL counts. Empty: now.",
    "ends": "Of a rule: no slot comes later. Empty: the rule says it, or the schedule never ends.",
    "timezone": "Such as Europe/Vienna. Empty: the tenant's.",
    "local": "The times are those of each recipient's own clock.",
    "not_after_minutes": "Nothing of a slot leaves later than so many minutes after it. Empty: no limit.",
}
LABELS = {
    "at": "Once, at",
    "rrule": "Again, by a rule (RRULE)",
    "cron": "Again, by a cron line",
    "timezone": "Time zone",
    "local": "At local time",
    "catch_up": "Catch up",
    "not_after_minutes": "Not later than (minutes)",
}
_NOTIFICATION = {"recipient": "notify_recipient", "template": "notify_template", "data": "notify_data"}


class ScheduleForm(TenantForm):
    notify_recipient = forms.CharField(
        required=False,
        max_length=128,
        label=_("Recipient"),
        help_text=_("In place of a campaign: your id of one recipient."),
    )
    notify_template = forms.CharField(required=False, max_length=64, label=_("Template"), help_text=_("Its key."))
    notify_data = JsonField(
        required=False,
        label=_("Data"),
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text=_("Variables of the template, as JSON."),
    )

    class Meta:
        model = Schedule
        fields = ("tenant", "name", "campaign", *WHEN, "catch_up", "not_after_minutes")
        help_texts = HELP
        labels = LABELS
        widgets = {
            "rrule": forms.TextInput(attrs={"class": "vLargeTextField", "spellcheck": "false"}),
            **{
                name: forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
                for name in ("at", "starts", "ends")
            },
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in _NOTIFICATION.items():
            if field in self.fields and name in self.instance.notification:
                self.initial.setdefault(field, self.instance.notification[name])
        self.initial.setdefault("notify_data", {})

    def clean(self) -> dict[str, Any] | None:
        values = super().clean() or {}
        tenant = values.get("tenant") or getattr(self.instance, "tenant", None)
        if tenant is None or self.errors:
            return values
        try:
            if self.instance._state.adding:
                edit.built(tenant, self.schedule_fields())
            else:
                edit.check_change(Schedule.objects.get(pk=self.instance.pk), self.schedule_fields())
        except NotifierError as error:
            self._show(error)
        return values

    def schedule_fields(self) -> dict[str, Any]:
        """The form as fields of campaigns.schedules.edit."""
        values = self.cleaned_data
        campaign: Campaign | None = values.get("campaign")
        names = ("name", *WHEN, "catch_up", "not_after_minutes")
        return {
            **{name: values[name] for name in names},
            "campaign": campaign.pk if campaign else None,
            "notification": self._notification(values),
        }

    def _notification(self, values: dict[str, Any]) -> dict[str, Any]:
        if not values.get("notify_recipient") and not values.get("notify_template"):
            return {}
        typed = {name: values.get(field) or ({} if name == "data" else "") for name, field in _NOTIFICATION.items()}
        return {**self.instance.notification, **typed}

    def _show(self, error: NotifierError) -> None:
        parts = (error.field or "").split(".")
        field = _NOTIFICATION.get(parts[1]) if parts[0] == "notification" and len(parts) > 1 else parts[0]
        self.add_error(field if field in self.fields else None, error.message)


class ScheduleAdmin(TenantModelAdmin):
    group = "Campaigns"
    icon = "event_repeat"
    rank = 15
    audited_by_domain = True
    form = ScheduleForm
    list_display = ("name", "state_badge", "what", "when", "timezone", "next_at")
    list_filter = ("state",)
    list_select_related = ("tenant", "campaign")
    search_fields = ("name",)
    ordering = ("-id",)
    change_list_template = "admin/campaigns/schedule/change_list.html"
    change_form_template = "admin/campaigns/schedule/change_form.html"
    deleted_together = (ScheduleSlot,)

    class Media:
        css = {"all": ["campaigns/campaign.css", "campaigns/calendar.css"]}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        notification = (
            [] if obj is not None and not self.has_change_permission(request, obj) else [*_NOTIFICATION.values()]
        )
        return [
            (None, {"fields": ["tenant", "name", "campaign", *notification]}),
            ("When", {"fields": list(WHEN)}),
            ("When something is late", {"fields": ["catch_up", "not_after_minutes"]}),
        ]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None and db_field.name == "campaign":
            # neither silent runs nor what schedules have made
            field.queryset = field.queryset.filter(silent=False, slots__isnull=True).order_by("-id")
        return field

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A campaign can be viewed and added here; it is changed and deleted on its own page."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget.can_change_related = field.widget.can_delete_related = False
        return field

    # -- rights ------------------------------------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A schedule that has ended is shown and never edited."""
        return super().has_change_permission(request, obj) and (obj is None or obj.state not in edit.ENDED)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        rows = list(objs)
        refused = [f"{row}: {why}" for row in rows if (why := edit.reason_to_keep(row))]
        lacking = {str(self.opts.verbose_name) for row in rows if not may(request, self.edited_by, row)}
        return [str(row) for row in rows], {self.opts.verbose_name_plural: len(rows)}, lacking, refused

    def delete_model(self, request: HttpRequest, obj: Schedule) -> None:
        edit.delete(obj, by=actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for schedule in queryset:
            edit.delete(schedule, by=actor(request))

    # -- the list ----------------------------------------------------------------------------------------------------

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, schedule: Schedule) -> SafeString:
        return format_html('<span class="state state-{}">{}</span>', schedule.state, schedule.state)

    @admin.display(description=_("sends"))
    def what(self, schedule: Schedule) -> str:
        if schedule.notification:
            return f"{schedule.notification['template']} to {schedule.notification['recipient']}"
        return f"campaign {schedule.campaign}" if schedule.campaign else "a campaign that was deleted"

    @admin.display(description=_("when"))
    def when(self, schedule: Schedule) -> str:
        return schedule.at.replace("T", " ") or schedule.rrule or schedule.cron

    # -- saving ------------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        fields = form.schedule_fields()
        if change:
            saved = edit.update(obj, fields, by=actor(request))
        else:
            saved = edit.create(obj.tenant, fields, by=actor(request))
        obj.pk = saved.pk
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Stay on the schedule's page, which shows its slots."""
        return self._saved(request, obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._saved(request, obj)

    def _saved(self, request: HttpRequest, schedule: Schedule) -> HttpResponse:
        self.message_user(request, "Saved. Below are the next slots.", messages.SUCCESS)
        return HttpResponseRedirect(_change_url(schedule.pk))

    # -- the page ----------------------------------------------------------------------------------------------------

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = {"show_save_and_continue": False, "show_save_and_add_another": False, **(extra_context or {})}
        try:
            schedule = self.get_object(request, object_id) if object_id else None
            if schedule is not None and request.method == "GET":
                extra |= _panel(request, schedule)
            return super().changeform_view(request, object_id, form_url, extra)
        except NotifierError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.path)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        controls = [
            path(f"<uuid:pk>/{row.act}/", wrap(self._control_view(row)), name=f"campaigns_schedule_{row.act}")
            for row in control.CONTROLS
        ]
        calendar = path("calendar/", wrap(require_GET(self.calendar_view)), name="campaigns_schedule_calendar")
        return [calendar, *controls, *super().get_urls()]

    def _control_view(self, row: control.Control) -> Any:
        def run(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
            schedule = get_object_or_404(self.get_queryset(request), pk=pk)
            activate_zone_of(schedule)
            if not may(request, LAUNCHERS, schedule):
                context = {**self.admin_site.each_context(request), "title": "Your role may look only"}
                return TemplateResponse(request, "admin/campaigns/not_allowed.html", context, status=403)
            self._run(request, row, schedule)
            return HttpResponseRedirect(_change_url(pk))

        return require_POST(run)

    def _run(self, request: HttpRequest, row: control.Control, schedule: Schedule) -> None:
        # the slot that the page showed: a second click skips no second slot
        at = _time(request.POST.get("at", "")) if row.run is control.skip else None
        try:
            changed = row.run(schedule.tenant_id, schedule.pk, by=actor(request), **({"at": at} if at else {}))
        except NotifierError as error:
            self.message_user(request, error.message, messages.ERROR)
            return
        repeat = f"It was {row.done} already. This request changed nothing."
        self.message_user(request, row.success if changed else repeat, messages.SUCCESS if changed else messages.INFO)

    def calendar_view(self, request: HttpRequest) -> HttpResponse:
        """A month with the slots of all schedules that the user may see."""
        zone = timezone.get_current_timezone()
        month = month_of(request.GET.get("month", ""), timezone.localdate())
        rows = visible_rows(Schedule.objects.select_related("tenant", "campaign"), request)
        if tenant_id := parse_id(request.GET.get("of")):
            rows = rows.filter(tenant_id=tenant_id)
        live = Q(state__in=[Schedule.State.ACTIVE, Schedule.State.PAUSED])
        began = datetime(month.year, month.month, 1, tzinfo=UTC) - timedelta(days=8)
        in_month = Q(slots__at__gte=began, slots__at__lt=began + timedelta(days=50))
        rows = rows.filter(live | in_month).distinct().order_by("-id")[: IN_CALENDAR + 1]
        schedules = list(rows)
        return TemplateResponse(
            request,
            "admin/campaigns/schedule/calendar.html",
            {
                **self.admin_site.each_context(request),
                "title": f"Calendar: {month:%B %Y}",
                "opts": self.opts,
                "month": month,
                "weeks": weeks(month, schedules[:IN_CALENDAR], zone),
                "days": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
                "before": (month - timedelta(days=1)).replace(day=1),
                "after": (month + timedelta(days=31)).replace(day=1),
                "today": timezone.localdate(),
                "zone": timezone.get_current_timezone_name(),
                "of": request.GET.get("of", "") if tenant_id else "",
                "several": sees_several_tenants(request),
                "cut_at": IN_CALENDAR if len(schedules) > IN_CALENDAR else 0,
                "may_add": self.has_add_permission(request),
            },
        )


def _panel(request: HttpRequest, schedule: Schedule) -> dict[str, Any]:
    """What stands above the form: the state, the buttons, the next slots, those that ran."""
    coming = next_slots(schedule, utc_now())
    return {
        "shown": schedule,
        "may_act": may(request, LAUNCHERS, schedule),
        "buttons": [row for row in control.CONTROLS if schedule.state in row.states],
        "coming": coming,
        "skippable": next((slot.at for slot in coming if slot.state != ScheduleSlot.State.SKIPPED), None),
        "recent": schedule.slots.filter(at__lte=utc_now()).select_related("campaign").order_by("-at")[:RECENT],
    }


def _time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _change_url(pk: uuid.UUID) -> str:
    return reverse("admin:campaigns_schedule_change", args=[pk])
