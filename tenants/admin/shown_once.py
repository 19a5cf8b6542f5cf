"""Secrets that are shown once: an API key, a new member's password. The POST that creates one redirects to the page
that shows it, so that reloading the page creates no second one.

Between the two requests the secret is in the user's session, encrypted with a key that the session store does not have.
The page removes it.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from notifier.encryption import seal, unseal

_SESSION = "shown_once"
#: seconds within which the browser must follow the redirect
VALID_SECONDS = 300
#: secrets that a session holds at most, for POSTs from several tabs
_MAX_PENDING = 5


@dataclass(frozen=True)
class OneTimeSecret:
    """`values` are shown with their names; the page's link leads to `back`."""

    tenant_id: uuid.UUID
    title: str
    values: Mapping[str, str]
    back: str


def show_once(request: HttpRequest, secret: OneTimeSecret) -> HttpResponse:
    """The response to the POST: a redirect to the page that shows the secret."""
    token = secrets.token_urlsafe(16)
    context = {"title": secret.title, "values": dict(secret.values), "back": secret.back, "at": time.time()}
    sealed = base64.b64encode(seal(secret.tenant_id, _purpose(request, token), json.dumps(context).encode())).decode()
    pending = list(request.session.get(_SESSION, {}).items())
    request.session[_SESSION] = dict([*pending[1 - _MAX_PENDING :], (token, [str(secret.tenant_id), sealed])])
    return HttpResponseRedirect(reverse("admin:shown_once", args=[token]))


@never_cache
def one_time_page(request: HttpRequest, token: str) -> HttpResponse:
    """The page. A second request shows nothing."""
    pending = dict(request.session.get(_SESSION, {}))
    entry = pending.pop(token, None)
    if entry is not None:
        request.session[_SESSION] = pending
    context = _open(request, token, *entry) if entry is not None else {"title": _("This was shown already")}
    # the site imports this module
    from tenants.admin.site import admin_site

    return render(request, "admin/shown_once.html", {**admin_site.each_context(request), **context})


def _open(request: HttpRequest, token: str, tenant_id: str, sealed: str) -> dict[str, Any]:
    context: dict[str, Any] = json.loads(
        unseal(uuid.UUID(tenant_id), _purpose(request, token), base64.b64decode(sealed))
    )
    is_fresh = time.time() - context["at"] < VALID_SECONDS
    return context if is_fresh else {"title": _("This can no longer be shown")}


def _purpose(request: HttpRequest, token: str) -> str:
    return f"shown once:{request.user.pk}:{token}"
