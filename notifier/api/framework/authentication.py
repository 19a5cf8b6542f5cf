"""The caller of the API: the tenant's server that sent an API key, and what the scopes of that key allow.

The settings of DRF name both classes.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from notifier.delivery.infra import bulk
from notifier.tracing import spans
from notifier.vocabulary.rates import Rates
from notifier.vocabulary.status import Mode
from tenants.api_keys import EVERYTHING, NAMED_SCOPES, key_digest

if TYPE_CHECKING:
    # importing DRF's views reads the settings, which name this module
    from rest_framework.views import APIView

#: `last_used_at` is shown to people only: one update a minute instead of one for each request
_USE_RECORDED_EVERY = timedelta(minutes=1)
# with BEGIN, the scope, which the function has signed, and the source of consent changes, in one round trip
_CALLER_OF_KEY = """
SELECT id, tenant_id, mode, scopes::text, last_used_at, tenant_requests, tenant_recipients, key_requests,
  key_recipients, set_config('notifier.tenants', signed_scope, true),
  set_config('notifier.consent_source', 'api', true)
FROM api_key_by_digest(%s)
"""
CHALLENGE = 'Bearer realm="notifier"'


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The key of a request: its tenant, its mode, the scopes that it has, and the rates of both."""

    tenant_id: uuid.UUID
    key_id: uuid.UUID
    mode: Mode
    scopes: frozenset[str]
    tenant_rates: Rates
    key_rates: Rates

    @property
    def is_authenticated(self) -> bool:
        return True

    def may(self, scope: str) -> bool:
        return scope in self.scopes or (EVERYTHING in self.scopes and scope not in NAMED_SCOPES)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer nk_live_…`. Sets `request.auth` to an ApiCaller, and the transaction's scope to its
    tenant."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header.partition(" ")[0]:
            return None
        digest = digest_of(header)
        caller = load_callers([digest]).get(digest)
        if caller is None:
            raise unknown_key()
        structlog.contextvars.bind_contextvars(tenant_id=str(caller.tenant_id), key_id=str(caller.key_id))
        _continue_trace(request)
        return caller, caller

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def _continue_trace(request: Request) -> None:
    """The trace of a caller who is known. Anybody else's header is not believed."""
    if spans.continue_caller(request.method or "", request.META.get("HTTP_TRACEPARENT", "")):
        structlog.contextvars.unbind_contextvars("trace_id")
        if (trace := spans.current()) is not None:
            structlog.contextvars.bind_contextvars(trace_id=trace.trace_id)


def digest_of(header: str) -> bytes:
    """The digest of the key that an Authorization header carries. Raises AuthenticationFailed."""
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise AuthenticationFailed("Send the API key as: Authorization: Bearer nk_live_…")
    if not key.isascii():
        raise unknown_key()
    return key_digest(key.strip())


def unknown_key() -> AuthenticationFailed:
    """The refusal of a key that does not exist, or not any more."""
    error = AuthenticationFailed("The API key is unknown or revoked.")
    error.auth_header = CHALLENGE  # type: ignore[attr-defined]
    return error


def load_callers(digests: Sequence[bytes]) -> dict[bytes, ApiCaller]:
    """The callers of these keys by digest; an unknown or revoked key has none. Sets the transaction's scope to the
    tenant of the last key. One round trip, with BEGIN when these are the transaction's first statements."""
    with ExitStack() as cursors:
        asked = [(digest, cursors.enter_context(bulk.cursor())) for digest in digests]
        with bulk.pipelined():
            for digest, cursor in asked:
                cursor.execute(_CALLER_OF_KEY, [digest], prepare=True)
        rows = {digest: cursor.fetchone() for digest, cursor in asked}
    return {digest: _caller(row) for digest, row in rows.items() if row is not None}


def _caller(row: Sequence[Any]) -> ApiCaller:
    key_id, tenant_id, mode, scopes, last_used, *rates, _, _ = row
    is_old = last_used is None or datetime.now(UTC) - last_used > _USE_RECORDED_EVERY
    if is_old and connection.alias == DEFAULT_DB_ALIAS:  # a read replica takes no writes
        _record_use(key_id)
    return ApiCaller(
        tenant_id,
        key_id,
        Mode(mode),
        frozenset(_strings(scopes)),
        tenant_rates(*rates[:2]),
        Rates(*rates[2:]),
    )


def tenant_rates(requests: int | None, recipients: int | None) -> Rates:
    """The rates of a tenant: its own, else those of the settings. 0 in the settings: no limit."""
    return Rates(
        settings.RATE_LIMIT_REQUESTS or None if requests is None else requests,
        settings.RATE_LIMIT_RECIPIENTS or None if recipients is None else recipients,
    )


def _strings(text: str) -> list[str]:
    """The texts of a JSON list; anything else in a hand-written row allows nothing."""
    items = orjson.loads(text)
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []


def _record_use(key_id: uuid.UUID) -> None:
    """Set `last_used_at`. Never waits: a row that another request has locked is left to that request."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_apikey SET last_used_at = now() WHERE id = "
            "(SELECT id FROM tenants_apikey WHERE id = %s FOR UPDATE SKIP LOCKED)",
            [key_id],
        )


class HasScope(BasePermission):
    """The view names the scope it needs: `scope = "send"`. A view that names none is closed to every key."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller = request.auth
        scope = getattr(view, "scope", None)
        if not isinstance(caller, ApiCaller) or scope is None:
            return False
        self.message = lacks_scope(scope)
        return caller.may(scope)


def lacks_scope(scope: str) -> str:
    """Why a key may not do what needs the scope."""
    return f"This key lacks the scope {scope!r}."
