"""Notifier disables an endpoint that fails for days, or that says that it is gone. The audit log has an entry, and the
owners of the tenant get a mail, where the installation has a mail server of its own."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string

from notifier.delivery.webhooks import subscriptions
from notifier.models import WebhookEndpoint
from tenants import audit
from tenants.members import can_send_mail
from tenants.models import Member

log = structlog.get_logger("notifier.webhooks")
_request: Callable[[], object] | None = None


def register_request(request: Callable[[], object]) -> None:
    """`request` lets a worker call `send_notices`; `AppConfig.ready` registers it."""
    global _request
    _request = request


def disable(endpoint: WebhookEndpoint, because: str) -> None:
    """In the transaction of the attempt that decided it."""
    endpoint.enabled, endpoint.disabled_because, endpoint.notified_at = False, because, None
    endpoint.save(update_fields=["enabled", "disabled_because", "notified_at", "changed_at"])
    audit.record(endpoint.tenant_id, "webhook_endpoint.disabled", endpoint.pk, {"because": because})
    subscriptions.forget(endpoint.tenant_id)
    log.warning("webhook endpoint disabled", action="webhook", endpoint=str(endpoint.pk), because=because)
    if _request is not None:
        transaction.on_commit(_request)


def send_notices() -> int:
    """Mail the owners of endpoints that were disabled and of which no mail says so; returns how many endpoints. The
    hourly task calls it as well, in case that the task of the moment was lost or the mail server was away."""
    if not can_send_mail():
        return 0
    sent = 0
    for endpoint in WebhookEndpoint.objects.exclude(disabled_because="").filter(enabled=False, notified_at=None):
        sent += _send(endpoint)
    return sent


def _send(endpoint: WebhookEndpoint) -> bool:
    owners = Member.objects.filter(tenant_id=endpoint.tenant_id, role=Member.Role.OWNER, user__is_active=True)
    addresses = [address for address in owners.values_list("user__email", flat=True) if address]
    # the mark first: a mail server that takes a mail and then hangs must not get it every hour
    mine = WebhookEndpoint.objects.filter(pk=endpoint.pk, notified_at=None, enabled=False)
    if not mine.update(notified_at=datetime.now(UTC)) or not addresses:
        return False
    page = f"{settings.SITE_URL}/admin/notifier/webhookendpoint/{endpoint.pk}/change/"
    context = {"tenant": endpoint.tenant.name, "endpoint": endpoint, "page": page}
    mail = EmailMessage(
        subject=f"A webhook of {' '.join(endpoint.tenant.name.split())} was disabled",
        body=render_to_string("admin/notifier/webhookendpoint/disabled.txt", context),
        bcc=addresses,
    )
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        log.warning("mail not sent", action="webhook", endpoint=str(endpoint.pk), error=type(error).__name__)
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(notified_at=None)
        return False
    return True
