"""A login that has expired loses nothing of what was typed: the login page keeps it, and offers it again afterwards.

Nothing is sent by itself: after the login, whoever typed it sees it and presses the button. Files and secrets are not
kept; they must be given again.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

#: the field of the login form that holds what was typed, signed
SIGNED_FORM = "kept"
#: seconds that a login may take
VALID_SECONDS = 3600
#: characters; a form of the admin is rarely longer, and the login's POST has a limit, too
MAX_CHARACTERS = 500_000
_SALT = "notifier.kept"
#: a part of a field's name that says that it must not be written into a page
_SECRET = ("password", "csrf", "token", "secret", "config_")


def login_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The login page in answer to a POST of somebody whose login has expired."""
    path = request.get_full_path()
    login = f"{reverse('admin:login')}?{urlencode({REDIRECT_FIELD_NAME: path})}"
    shown = {
        **context,
        "title": "Your login has expired",
        "form": AdminAuthenticationForm(request),
        "app_path": login,
        "next": path,
        SIGNED_FORM: sign_form(request),
    }
    return render(request, "admin/login.html", shown, status=403)


def sign_form(request: HttpRequest) -> str:
    """What was typed, signed; empty when there is too much of it."""
    typed = [(name, values) for name, values in request.POST.lists() if not _is_secret(name)]
    left_out = sorted({*request.FILES, *(name for name in request.POST if _is_secret(name) and "csrf" not in name)})
    kept = {"path": request.get_full_path(), "typed": typed, "left_out": left_out}
    return signing.dumps(kept, salt=_SALT, compress=True) if len(json.dumps(kept)) < MAX_CHARACTERS else ""


def offer_form(request: HttpRequest, context: dict[str, Any]) -> HttpResponse | None:
    """After the login: what was typed, to be sent by a press. None when nothing was kept."""
    try:
        kept = signing.loads(request.POST.get(SIGNED_FORM, ""), salt=_SALT, max_age=VALID_SECONDS)
    except signing.BadSignature:
        return None
    if not url_has_allowed_host_and_scheme(kept["path"], allowed_hosts=None):
        return None
    fields = [(name, value) for name, values in kept["typed"] for value in values]
    shown = {
        **context,
        "title": "What you had typed",
        "path": kept["path"],
        "page": urlsplit(kept["path"]).path,
        "fields": fields,
        "left_out": kept["left_out"],
    }
    return render(request, "admin/resubmit_form.html", shown)


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET)
