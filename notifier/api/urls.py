"""Addresses of the engine's part of the API."""

from __future__ import annotations

from notifier.api import docs, notifications, templates
from notifier.api.framework.paths import path

urlpatterns = [
    path("openapi.json", docs.OpenApi.as_view(), name="openapi"),
    path("docs", docs.Docs.as_view(), name="docs"),
    path("notifications", notifications.Notifications.as_view()),
    path("notifications/bulk", notifications.NotificationsBulk.as_view()),
    path("notifications/<id:notification_id>", notifications.NotificationOne.as_view()),
    path("templates", templates.Templates.as_view()),
    path("templates/<segment:key>", templates.TemplateOne.as_view()),
]
