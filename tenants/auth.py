"""API keys: making one, recognising the caller by it, and what its scopes allow."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from django.db import connection
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from notifier.delivery.infra import bulk
from notifier.errors import InvalidInput
from notifier.vocabulary.status import Mode
from tenants.models import ApiKey, Tenant

if TYPE_CHECKING:
    # its import reads the settings, which name this module
    from rest_framework.views import APIView

SCOPES = ("send", "recipients", "campaigns", "inbox")
EVERYTHING = "*"
#: characters of a key that are kept to recognise it by: `nk_live_` and the first eight
_SHOWN = 16
#: `last_used_at` is for people; once a minute spares a write per request
_USED_EVERY = timedelta(minutes=1)
# with BEGIN and the scope, which the function has signed, in one round trip
_LOOK_UP = """
SELECT id, tenant_id, mode, scopes::text, last_used_at, set_config('notifier.tenants', signed_scope, true)
FROM api_key_by_digest(%s)
"""
_REFUSED = "The API key is unknown or revoked."


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Whose key a request came with, and what it allows."""

    tenant_id: uuid.UUID
    key_id: uuid.UUID
    mode: Mode
    scopes: frozenset[str]

    @property
    def is_authenticated(self) -> bool:
        return True

    def may(self, scope: str) -> bool:
        return EVERYTHING in self.scopes or scope in self.scopes


def digest_of(key: str) -> bytes:
    """What is stored of a key. It is 256 random bits, so a plain hash cannot be searched backwards."""
    return hashlib.sha256(key.encode()).digest()


def create_key(tenant: Tenant, name: str, mode: Mode | str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """A new key and its only showing."""
    for scope in scopes:
        if scope not in (EVERYTHING, *SCOPES):
            raise InvalidInput(f"Unknown scope {scope!r}; known: *, {', '.join(SCOPES)}.", field="scopes")
    key = f"nk_{Mode(mode).value}_{secrets.token_urlsafe(32)}"
    row = ApiKey.objects.create(
        tenant=tenant, name=name, mode=Mode(mode).value, prefix=key[:_SHOWN], digest=digest_of(key), scopes=list(scopes)
    )
    return row, key


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer nk_live_…`. Sets `request.auth` to an ApiCaller, and the scope to its tenant."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        kind, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not kind:
            return None
        if kind.lower() != "bearer" or not secret.strip():
            raise AuthenticationFailed("Send the API key as: Authorization: Bearer nk_live_…")
        caller, last_used = self._caller(secret.strip())
        structlog.contextvars.bind_contextvars(tenant_id=str(caller.tenant_id), key_id=str(caller.key_id))
        if last_used is None or datetime.now(UTC) - last_used > _USED_EVERY:
            _note_use(caller.key_id)
        return caller, caller

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="notifier"'

    def _caller(self, secret: str) -> tuple[ApiCaller, datetime | None]:
        """Whose key it is, and when it was last used; sets the scope."""
        if not secret.isascii():
            raise AuthenticationFailed(_REFUSED)
        with bulk.cursor() as cursor:
            with bulk.pipelined():
                cursor.execute(_LOOK_UP, [digest_of(secret)], prepare=True)
            row = cursor.fetchone()
        if row is None:
            raise AuthenticationFailed(_REFUSED)
        key_id, tenant_id, mode, scopes, last_used, _ = row
        return ApiCaller(tenant_id, key_id, Mode(mode), frozenset(_strings(scopes))), last_used


def _strings(text: str) -> list[str]:
    found = orjson.loads(text)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def _note_use(key_id: uuid.UUID) -> None:
    """Never waits: who finds the row locked by another request leaves it to that one."""
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
        wanted = getattr(view, "scope", None)
        if not isinstance(caller, ApiCaller) or wanted is None:
            return False
        self.message = f"This key lacks the scope {wanted!r}."
        return caller.may(wanted)
