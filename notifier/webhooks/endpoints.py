"""Endpoints: what the API and the admin do to them. Every change leaves an entry in the audit log."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction

from notifier.delivery.webhooks import subscriptions
from notifier.encryption import seal, unseal
from notifier.errors import Conflict, InvalidInput, NotFound
from notifier.models import WebhookEndpoint
from notifier.values import webhook_url
from notifier.values.text import is_storable
from notifier.values.webhook_url import WebhookUrl
from notifier.vocabulary.webhooks import MAX_ENDPOINTS, EventType, groups, is_filter
from notifier.webhooks.signing import new_secret
from tenants import audit
from tenants.audit import Actor
from tenants.models import Tenant

#: the earlier secret signs beside the new one for so long
BOTH_SIGN = timedelta(hours=24)
MAX_HEADERS = 10
MAX_FILTERS = 32
MAX_DESCRIPTION = 200
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_HEADER_VALUE = re.compile(r"[!-~](?:[ !-~]{0,510}[!-~])?")
#: headers that the sender writes, or that change how a server reads a request
_RESERVED = frozenset(
    {
        *("host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "upgrade"),
        *("te", "trailer", "expect", "keep-alive", "proxy-authorization", "accept-encoding", "user-agent", "cookie"),
        *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via"),
    }
)


# ---- what an endpoint may say ---------------------------------------------------------------------------------------


def parse_url(url: str) -> WebhookUrl:
    """Raises ValueError."""
    return webhook_url.parse(url, settings.WEBHOOK_PORTS, plain_http=settings.WEBHOOK_HTTP)


def checked_url(url: str) -> str:
    """Raises InvalidInput."""
    try:
        parse_url(url)
    except ValueError as error:
        raise InvalidInput(str(error), field="url") from None
    return url


def checked_types(event_types: Sequence[str]) -> list[str]:
    """The filters without repeats. Raises InvalidInput."""
    if len(event_types) > MAX_FILTERS:
        raise InvalidInput(f"At most {MAX_FILTERS} filters.", field="event_types")
    for name in event_types:
        if not is_filter(name):
            known = ", ".join([*(f"{group}.*" for group in groups()), *EventType])
            raise InvalidInput(f"{name[:64]!r} is no event. There are: {known}.", field="event_types")
    return list(dict.fromkeys(event_types))


def checked_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Raises InvalidInput."""
    if len(headers) > MAX_HEADERS:
        raise InvalidInput(f"At most {MAX_HEADERS} headers.", field="headers")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise InvalidInput("A header's name is letters, digits and hyphens, at most 64.", field="headers")
        if name.lower() in _RESERVED or name.lower().startswith(("webhook-", "sec-", "proxy-")):
            raise InvalidInput(f"The header {name} cannot be set: Notifier or the connection sets it.", field="headers")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise InvalidInput(f"The value of {name} must be 1 to 512 printable ASCII characters.", field="headers")
    if len({name.lower() for name in headers}) < len(headers):
        raise InvalidInput("A header is named twice.", field="headers")
    return dict(headers)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns for these values: url, description, event_types, enabled. Raises InvalidInput."""
    columns = {name: values[name] for name in ("description", "enabled") if name in values}
    if not is_storable(columns.get("description", "")):
        raise InvalidInput("The description has a character that cannot be stored.", field="description")
    if "url" in values:
        columns["url"] = checked_url(values["url"])
    if "event_types" in values:
        columns["event_types"] = checked_types(values["event_types"])
    return columns


# ---- changes --------------------------------------------------------------------------------------------------------


def create(tenant: Tenant, values: Mapping[str, Any], by: Actor) -> WebhookEndpoint:
    """Raises InvalidInput, or Conflict when the tenant has as many as it may."""
    endpoint = WebhookEndpoint(tenant=tenant, **_checked(values))
    store_secret(endpoint, new_secret())
    store_headers(endpoint, checked_headers(values.get("headers") or {}))
    with transaction.atomic():
        Tenant.objects.select_for_update().filter(pk=tenant.pk).values_list("pk").first()
        check_room(tenant)
        endpoint.save(force_insert=True)
        _record(endpoint, "create", by)
    return endpoint


def check_room(tenant: Tenant) -> None:
    """Raises Conflict when the tenant has as many endpoints as it may."""
    if WebhookEndpoint.objects.filter(tenant=tenant).count() >= MAX_ENDPOINTS:
        raise Conflict(f"A tenant has at most {MAX_ENDPOINTS} endpoints: delete one first.", code="too_many_endpoints")


def change(endpoint: WebhookEndpoint, values: Mapping[str, Any], by: Actor) -> None:
    """Set what `values` has. Enabling an endpoint that was disabled begins anew: its failures are forgotten. Raises
    InvalidInput."""
    columns = _checked(values)
    if columns.get("enabled") and not endpoint.enabled:
        columns |= {"disabled_because": "", "failures": 0, "failing_since": None, "resume_at": datetime.now(UTC)}
    for name, value in columns.items():
        setattr(endpoint, name, value)
    if "headers" in values:
        store_headers(endpoint, checked_headers(values["headers"] or {}))
        columns["headers"] = endpoint.headers
    if columns:
        with transaction.atomic():
            endpoint.save(update_fields=[*columns, "changed_at"])
            _record(endpoint, "change", by, fields=sorted(set(values)))


def rotate(endpoint: WebhookEndpoint, by: Actor) -> None:
    """Make a new secret. Both sign for 24 hours; rotating twice ends the first one at once, and a secret whose
    encryption key is gone ends at once. Raises NotFound."""
    with transaction.atomic():
        held = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint.pk).first()
        if held is None:
            raise NotFound("There is no such endpoint.", field="id")
        # two rotations of one moment: the secret that the other one has just made signs as well
        endpoint.secret = held.secret
        readable = can_read(endpoint)
        endpoint.earlier_secret = endpoint.secret if readable else b""
        endpoint.earlier_until = datetime.now(UTC) + BOTH_SIGN if readable else None
        store_secret(endpoint, new_secret())
        endpoint.save(update_fields=["secret", "earlier_secret", "earlier_until", "changed_at"])
        _record(endpoint, "rotate", by)


def delete(endpoint: WebhookEndpoint, by: Actor) -> None:
    """Its messages are told to nobody; the hourly task deletes them."""
    with transaction.atomic():
        _record(endpoint, "delete", by)
        endpoint.delete()


def _record(endpoint: WebhookEndpoint, act: str, by: Actor, **detail: Any) -> None:
    audit.record(endpoint.tenant_id, f"webhook_endpoint.{act}", endpoint.pk, detail, by)
    subscriptions.forget(endpoint.tenant_id)


# ---- what is encrypted ----------------------------------------------------------------------------------------------


def _purpose(endpoint_id: uuid.UUID, what: str) -> str:
    return f"webhook {what}:{endpoint_id}"


def store_secret(endpoint: WebhookEndpoint, secret: str) -> None:
    endpoint.secret = seal(endpoint.tenant_id, _purpose(endpoint.pk, "secret"), secret.encode())


def store_headers(endpoint: WebhookEndpoint, headers: Mapping[str, str]) -> None:
    sealed = seal(endpoint.tenant_id, _purpose(endpoint.pk, "headers"), orjson.dumps(dict(headers))) if headers else b""
    endpoint.headers = sealed


def read_secret(endpoint: WebhookEndpoint, by: Actor) -> str:
    """The newest secret; the audit log says who read it. Raises ValueError when the encryption key is gone."""
    secret = secrets_of(endpoint, datetime.now(UTC))[0]
    record_read(endpoint, by)
    return secret


def record_read(endpoint: WebhookEndpoint, by: Actor) -> None:
    """Somebody sees the secret."""
    audit.record(endpoint.tenant_id, "webhook_endpoint.read_secret", endpoint.pk, {}, by)


def secrets_of(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """The secrets that sign, the newest first. Raises ValueError when the encryption key is gone."""
    sealed = [endpoint.secret]
    if endpoint.earlier_until is not None and endpoint.earlier_until > now:
        sealed.append(endpoint.earlier_secret)
    return [unseal(endpoint.tenant_id, _purpose(endpoint.pk, "secret"), one).decode() for one in sealed]


def can_read(endpoint: WebhookEndpoint) -> bool:
    """Whether the newest secret can be decrypted; not when its encryption key is gone."""
    try:
        unseal(endpoint.tenant_id, _purpose(endpoint.pk, "secret"), endpoint.secret)
    except ValueError:
        return False
    return True


def headers_of(endpoint: WebhookEndpoint) -> dict[str, str]:
    """The endpoint's own headers."""
    if not endpoint.headers:
        return {}
    opened = unseal(endpoint.tenant_id, _purpose(endpoint.pk, "headers"), endpoint.headers)
    headers: dict[str, str] = orjson.loads(opened)
    return headers
