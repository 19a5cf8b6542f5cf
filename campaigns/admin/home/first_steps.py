"""The card that leads an empty tenant to the first message to oneself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from notifier.models import Notification, Template
from tenants.admin.base.visibility import visible_rows
from tenants.admin.roles import AUTHORS, may
from tenants.models import Recipient


@dataclass(frozen=True)
class FirstStep:
    title: str
    text: str
    url: str
    done: bool


def first_steps(request: HttpRequest) -> Mapping[str, Any] | None:
    """The steps until a message is sent. Each is one look-up by an index."""
    if not may(request, AUTHORS) or _has_sent(request):
        return None
    steps = [
        _step(
            request,
            Recipient,
            _("Add yourself"),
            _("A recipient with your own email address, phone number or device, who gets the first copy."),
        ),
        _step(
            request,
            Template,
            _("Write a message"),
            _("A template says what you send, for each channel and language, with a preview of your own phone."),
        ),
        FirstStep(
            _("Send it"),
            _("A campaign takes a template and an audience. Send yourself a copy, then press GO."),
            reverse("admin:campaigns_campaign_add"),
            done=False,
        ),
    ]
    return {"steps": steps, "next": next((step for step in steps if not step.done), steps[-1])}


def _step(request: HttpRequest, model: Any, title: str, text: str) -> FirstStep:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
    return FirstStep(title, text, url, done=visible_rows(model.objects.all(), request).exists())


def _has_sent(request: HttpRequest) -> bool:
    # not the ledger's rows, which have no index by tenant
    sent = (Notification.objects.all(), Campaign.objects.filter(launched_at__isnull=False))
    return any(visible_rows(rows, request).exists() for rows in sent)
