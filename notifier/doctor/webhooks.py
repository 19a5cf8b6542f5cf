"""Webhooks: endpoints that were disabled or fail, and events that nobody packs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Min
from django.utils import timezone

from notifier.doctor.findings import Finding, error, warning
from notifier.doctor.registry import Options, Server, register
from notifier.models import WebhookEndpoint, WebhookSpool

DISABLED = warning(
    "webhook-disabled",
    "The tenant's server learns of no event.",
    "mend the server, then enable the endpoint: admin, Webhook endpoints; docs/webhooks.md says how to replay",
)
FAILING = warning(
    "webhook-failing",
    "The tenant's server learns late; after days the endpoint is disabled.",
    "admin, Webhook endpoints: its attempts",
)
SPOOL = error("webhook-spool", "No server of a tenant learns of events.", "start beat and the worker `webhooks`")
#: how long an endpoint may fail, and an event may wait to be packed
FAILING_FOR, WAITING_FOR = timedelta(hours=1), timedelta(minutes=5)
#: endpoints that are told
_MOST = 20


def endpoints(options: Options) -> Iterator[Finding]:
    own = WebhookEndpoint.objects.filter(tenant__active=True).select_related("tenant").order_by("pk")
    for endpoint in own.filter(enabled=False).exclude(disabled_because="")[:_MOST]:
        yield DISABLED.says(f"{_name(endpoint)} was disabled: {endpoint.disabled_because.rstrip('.')}.")
    for endpoint in own.filter(enabled=True, failing_since__lt=timezone.now() - FAILING_FOR)[:_MOST]:
        yield FAILING.says(f"{_name(endpoint)} fails since {endpoint.failing_since:%Y-%m-%d %H:%M} UTC.")


def spool(options: Options) -> Iterator[Finding]:
    oldest = WebhookSpool.objects.filter(packed=False).aggregate(at=Min("created_at"))["at"]
    if oldest is not None and timezone.now() - oldest > WAITING_FOR:
        yield SPOOL.says(f"The oldest event that waits is of {oldest:%Y-%m-%d %H:%M} UTC.")


def _name(endpoint: WebhookEndpoint) -> str:
    """Without its address, which may hold a secret."""
    return f"The webhook endpoint {endpoint.pk} of {endpoint.tenant.slug}"


def register_checks() -> None:
    register("webhook endpoints", endpoints, Server.DATABASE)
    register("webhook spool", spool, Server.DATABASE)
