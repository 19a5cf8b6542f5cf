"""Who may watch a campaign over a socket: the person of the session's cookie, as the admin's pages see that person.

A browser sends cookies with a WebSocket that any site opens, and no CSRF token. So the Origin of the socket must be
this site, as Django asks of a form.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import DisallowedHost
from django.db import transaction
from django.http import HttpRequest, parse_cookie

from campaigns.models import Campaign
from tenants.admin import admin_site
from tenants.admin.site import enter_scope


@dataclass(frozen=True)
class Visitor:
    """A person who may see the campaign."""

    user_id: int
    tenant_id: uuid.UUID


@dataclass(frozen=True)
class Handshake:
    """What a socket's client sent when it opened the socket."""

    headers: Mapping[str, str]
    is_secure: bool

    @classmethod
    def of_scope(cls, scope: Mapping[str, Any]) -> Handshake:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        forwarded = headers.get("x-forwarded-proto", "").split(",")[0].strip()
        return cls(headers, forwarded == "https" or scope.get("scheme") == "wss")

    def is_of_this_site(self) -> bool:
        """Whether a page of this site opened the socket."""
        origin = self.headers.get("origin", "")
        if origin in settings.CSRF_TRUSTED_ORIGINS:
            return True
        try:
            host = self.request().get_host()
        except DisallowedHost:
            return False
        parts = urlsplit(origin)
        return parts.scheme == ("https" if self.is_secure else "http") and parts.netloc.lower() == host.lower()

    @property
    def session_key(self) -> str:
        return str(parse_cookie(self.headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, ""))

    def request(self) -> HttpRequest:
        """The request that a page of the admin would have had, without its session."""
        request = HttpRequest()
        request.method = "GET"
        request.META |= {"HTTP_HOST": self.headers.get("host", ""), "SERVER_NAME": "", "SERVER_PORT": ""}
        return request


def verify(handshake: Handshake, campaign_id: uuid.UUID) -> Visitor | None:
    """The visitor, if the session still stands and the person's role still lets the person see the campaign. Opens a
    transaction of its own."""
    if not handshake.session_key:
        return None
    with transaction.atomic():
        request = handshake.request()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(handshake.session_key)
        request.user = get_user(request)
        if not admin_site.has_permission(request):
            return None
        enter_scope(request)
        tenant_id = Campaign.objects.filter(pk=campaign_id).values_list("tenant_id", flat=True).first()
        return None if tenant_id is None or request.user.pk is None else Visitor(request.user.pk, tenant_id)
