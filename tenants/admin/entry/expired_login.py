"""A form that was sent after the login expired is not lost: the login page keeps its fields, and after the login a page
offers to send them.

Nothing is sent by itself: the user sees the fields and presses the button. Files and secrets are not kept and must be
given again.
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

#: the field of the login form that holds the signed fields of the other form
SIGNED_FORM = "signed_form"
#: seconds that the login may take
VALID_SECONDS = 3600
#: longer forms are not kept: they are rare, and the POST of the login has a limit as well
MAX_CHARACTERS = 500_000
_SALT = "notifier.signed_form"
#: a field whose name contains one of these must not be written into a page
_SECRET_WORDS = ("password", "csrf", "token", "secret", "config_")


def login_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The login page in response to a POST whose login has expired."""
    path = request.get_full_path()
    login = f"{reverse('admin:login')}?{urlencode({REDIRECT_FIELD_NAME: path})}"
    page_context = {
        **context,
        "title": "Your login has expired",
        "form": AdminAuthenticationForm(request),
        "app_path": login,
        "next": path,
        SIGNED_FORM: sign_form(request),
    }
    return render(request, "admin/login.html", page_context, status=403)


def sign_form(request: HttpRequest) -> str:
    """The fields of the POST, signed; empty when they are too long."""
    typed = [(name, values) for name, values in request.POST.lists() if not _is_secret(name)]
    left_out = sorted({*request.FILES, *(name for name in request.POST if _is_secret(name) and "csrf" not in name)})
    form = {"path": request.get_full_path(), "typed": typed, "left_out": left_out}
    return signing.dumps(form, salt=_SALT, compress=True) if len(json.dumps(form)) < MAX_CHARACTERS else ""


def offer_form(request: HttpRequest, context: dict[str, Any], signed_form: str) -> HttpResponse | None:
    """The page after the login that shows the fields and offers to send them. None when no form was kept."""
    try:
        form = signing.loads(signed_form, salt=_SALT, max_age=VALID_SECONDS)
    except signing.BadSignature:
        return None
    if not url_has_allowed_host_and_scheme(form["path"], allowed_hosts=None):
        return None
    fields = [(name, value) for name, values in form["typed"] for value in values]
    page_context = {
        **context,
        "title": "What you had typed",
        "path": form["path"],
        "page": urlsplit(form["path"]).path,
        "fields": fields,
        "left_out": form["left_out"],
    }
    return render(request, "admin/resubmit_form.html", page_context)


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)
