"""Addresses of the API document, notifications, templates and the key of Web Push."""

from __future__ import annotations

from notifier.api import docs, events, explain, layouts, limits, notifications, push, status, templates, waiting
from notifier.api.framework.paths import path

urlpatterns = [
    path("openapi.json", docs.OpenApiView.as_view(), name="openapi"),
    path("docs", docs.DocsView.as_view(), name="docs"),
    path("events", events.EventsView.as_view()),
    path("notifications", notifications.NotificationsView.as_view()),
    path("notifications/bulk", notifications.NotificationsBulkView.as_view()),
    path("notifications/cancel", waiting.CancelGroupView.as_view()),
    path("notifications/<id:notification_id>", notifications.NotificationView.as_view()),
    path("notifications/<id:notification_id>/explain", explain.ExplainNotificationView.as_view()),
    path("recipients/<segment:external_id>/explain", explain.ExplainRecipientView.as_view()),
    path("notifications/<id:notification_id>/cancel", waiting.CancelView.as_view()),
    path("notifications/<id:notification_id>/reschedule", waiting.RescheduleView.as_view()),
    path("status", status.StatusView.as_view()),
    path("push/webpush-key", push.WebPushKeyView.as_view()),
    path("limits", limits.LimitsView.as_view()),
    path("layouts", layouts.LayoutsView.as_view()),
    path("layouts/<segment:key>", layouts.LayoutView.as_view()),
    path("templates", templates.TemplatesView.as_view()),
    path("templates/<segment:key>", templates.TemplateView.as_view()),
]
