"""Addresses of webhooks."""

from __future__ import annotations

from notifier.api.framework.paths import path
from notifier.api.webhooks import views

_ONE = "webhooks/<id:webhook_id>"
urlpatterns = [
    path("webhooks", views.WebhooksView.as_view()),
    path("webhooks/event-types", views.EventTypesView.as_view()),
    path(_ONE, views.WebhookView.as_view()),
    path(f"{_ONE}/secret", views.WebhookSecretView.as_view()),
    path(f"{_ONE}/rotate", views.WebhookRotateView.as_view()),
    path(f"{_ONE}/test", views.WebhookTestView.as_view()),
    path(f"{_ONE}/attempts", views.WebhookAttemptsView.as_view()),
    path(f"{_ONE}/replay", views.WebhookReplayView.as_view()),
    path(f"{_ONE}/requests", views.WebhookRequestsView.as_view()),
    path(f"{_ONE}/requests/<id:request_id>", views.WebhookRequestView.as_view()),
    path(f"{_ONE}/requests/<id:request_id>/replay", views.WebhookRequestReplayView.as_view()),
]
