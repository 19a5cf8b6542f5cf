"""Pages about what is kept of decisions: the audit log, idempotency keys; and the clock's tasks, for operators."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat import admin as beat
from django_celery_beat import models as clock

from tenants.admin.base import ReadOnlyAdmin
from tenants.admin.roles import OWNERS
from tenants.admin.site import admin_site
from tenants.models import AuditLog, IdempotencyKey


@admin.register(AuditLog, site=admin_site)
class AuditLogAdmin(ReadOnlyAdmin):
    group = "Operations"
    rank = 10
    list_display = ("at", "action", "object_id", "who", "detail")
    list_select_related = ("tenant", "user")
    search_fields = ("=object_id", "action__startswith")
    date_hierarchy = "at"
    ordering = ("-id",)
    fields = ("tenant", "at", "who", "api_key_id", "action", "object_id", "detail")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditLog]:
        # also of one row: a user who is not visible is then None, and no error
        return super().get_queryset(request).select_related("user")

    @admin.display(description="user")
    def who(self, row: AuditLog) -> str:
        """The name, if the reader may see it: not of an operator or of somebody who has left the tenant."""
        if row.user_id is None:
            return ""
        return row.user.username if row.user else f"user {row.user_id}, no member"


@admin.register(IdempotencyKey, site=admin_site)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    group = "Operations"
    viewed_by = OWNERS
    list_display = ("key", "mode", "endpoint", "status", "created_at")
    search_fields = ("=key",)
    ordering = ("-id",)
    fields = ("tenant", "mode", "key", "endpoint", "status", "created_at")


admin_site.register(clock.PeriodicTask, beat.PeriodicTaskAdmin)
admin_site.register(clock.ClockedSchedule, beat.ClockedScheduleAdmin)
admin_site.register(clock.CrontabSchedule, beat.CrontabScheduleAdmin)
admin_site.register(clock.SolarSchedule, beat.ScheduleAdmin)
admin_site.register(clock.IntervalSchedule, beat.IntervalScheduleAdmin)
