"""What is shown once: an API key, a new member's password. The POST that made it redirects to the page that shows it,
so that reloading makes no second one.

Between the two it lies encrypted in the user's session, under a key that no session store has, and is gone once read.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from notifier.encryption import seal, unseal

_SESSION = "shown_once"
#: seconds in which the redirect must be followed
VALID_SECONDS = 300
#: pages that may wait at a time, such as of two tabs
_MAX_PENDING = 5


@dataclass(frozen=True)
class OneTimeSecret:
    """`what` is shown, name by name; `back` is where the page's link leads."""

    tenant: uuid.UUID
    title: str
    what: Mapping[str, str]
    back: str


def show_once(request: HttpRequest, secret: OneTimeSecret) -> HttpResponse:
    """The redirect that answers the POST."""
    token = secrets.token_urlsafe(16)
    told = json.dumps({"title": secret.title, "what": dict(secret.what), "back": secret.back, "at": time.time()})
    sealed = base64.b64encode(seal(secret.tenant, _purpose(request, token), told.encode())).decode()
    waiting = list(request.session.get(_SESSION, {}).items())
    request.session[_SESSION] = dict([*waiting[1 - _MAX_PENDING :], (token, [str(secret.tenant), sealed])])
    return HttpResponseRedirect(reverse("admin:shown_once", args=[token]))


@never_cache
def one_time_page(request: HttpRequest, token: str) -> HttpResponse:
    """The page. A second look finds nothing."""
    waiting = dict(request.session.get(_SESSION, {}))
    found = waiting.pop(token, None)
    if found is not None:
        request.session[_SESSION] = waiting
    told = _open(request, token, *found) if found is not None else {"title": "This was shown already"}
    return render(request, "admin/shown_once.html", {**told, "has_permission": True})


def _open(request: HttpRequest, token: str, tenant: str, sealed: str) -> dict[str, object]:
    told = json.loads(unseal(uuid.UUID(tenant), _purpose(request, token), base64.b64decode(sealed)))
    return told if time.time() - told["at"] < VALID_SECONDS else {"title": "This can be shown no more"}


def _purpose(request: HttpRequest, token: str) -> str:
    return f"shown once:{request.user.pk}:{token}"
