"""Pages about the audit log and idempotency keys; and about scheduled tasks, for operators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from django_celery_beat import admin as beat_admin
from django_celery_beat import models as beat_models

from tenants.admin.audit_entries import changes_in_words
from tenants.admin.base.hardening import hardened
from tenants.admin.base.visibility import visible_users
from tenants.admin.lists.large_tables import ReadOnlyLargeTableAdmin
from tenants.admin.roles import OWNERS
from tenants.admin.site import admin_site
from tenants.models import AuditLog, IdempotencyKey


@admin.register(AuditLog, site=admin_site)
class AuditLogAdmin(ReadOnlyLargeTableAdmin):
    group = "Settings"
    icon = "history"
    rank = 10
    list_display = ("at", "action", "object_id", "user_name", "what_changed")
    list_select_related = ("tenant", "user")
    search_fields = ("object_id",)
    search_help_text = _("The id of the changed object, an action such as campaign.go, or a user's name.")
    linked_columns = ("object_id", "user", "action")
    fields = ("tenant", "at", "user_name", "api_key_id", "action", "object_id", "what_changed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditLog]:
        # a join, for a single row too: an invisible user is then None instead of an error
        return super().get_queryset(request).select_related("user")

    @admin.display(description=_("user"))
    def user_name(self, row: AuditLog) -> str:
        """The user's name, or their id if the reader may not see the name: of operators, and of former members."""
        if row.user_id is None:
            return ""
        return row.user.username if row.user else f"user {row.user_id}, no member"

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[Any]:
        rows = self.rows(request)
        users = list(visible_users(request).filter(username=term).values_list("pk", flat=True)[:1])
        by_user = [rows.filter(user_id__in=users).order_by("-id")] if users else []
        return rows.filter(object_id=term), rows.filter(action=term).order_by("-id"), *by_user

    @admin.display(description=_("what changed"))
    def what_changed(self, row: AuditLog) -> str:
        """Each changed field, from what to what where the entry has it."""
        return format_html_join("", "<div>{}</div>", ((line,) for line in changes_in_words(row.detail)))


@admin.register(IdempotencyKey, site=admin_site)
class IdempotencyKeyAdmin(ReadOnlyLargeTableAdmin):
    group = "Operations"
    icon = "vpn_key"
    viewed_by = OWNERS
    list_display = ("key", "mode", "endpoint", "status", "created_at")
    search_fields = ("key",)
    search_help_text = "The whole key."
    fields = ("tenant", "mode", "key", "endpoint", "status", "created_at")

    def search_queries(self, request: HttpRequest, term: str) -> Iterable[Any]:
        return (self.rows(request).filter(key=term),)


admin_site.register(beat_models.PeriodicTask, hardened(beat_admin.PeriodicTaskAdmin))
admin_site.register(beat_models.ClockedSchedule, hardened(beat_admin.ClockedScheduleAdmin))
admin_site.register(beat_models.CrontabSchedule, hardened(beat_admin.CrontabScheduleAdmin))
admin_site.register([beat_models.SolarSchedule, beat_models.IntervalSchedule], hardened(beat_admin.ScheduleAdmin))
