"""The second stage of a login: a code of the authenticator app, or a recovery code.

Wrong codes count as failed logins (tenants.login.lockout), so that they are limited as passwords are; and each wrong
code of the app makes the next one wait.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from tenants.login import lockout, second_factor, stages
from tenants.models import User

MOST_CHARACTERS = 40


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def code_page(request: HttpRequest) -> HttpResponse:
    """The page of the second stage. Without a first stage it leads back to it."""
    user = stages.pending_user(request)
    if user is None:
        return HttpResponseRedirect(reverse("admin:login"))
    if request.method != "POST":
        return _page(request, user)
    answer = check_code(request, user)
    if isinstance(answer, HttpResponse):
        return answer
    if answer:
        return _page(request, user, answer)
    return HttpResponseRedirect(stages.finish(request, user))


def check_code(request: HttpRequest, user: User) -> str | HttpResponse:
    """Empty when the typed code is right; else a sentence, or the page of a login that is locked."""
    name = user.get_username()
    if lockout.seconds_locked(request, name):
        return lockout.locked_out_page(request, None, {"username": name})
    answer = second_factor.verify(user, request.POST.get("code", "")[:MOST_CHARACTERS])
    if answer.accepted:
        return ""
    if answer.wait:
        return ngettext(
            "Wait %(seconds)d second before the next code. A recovery code works at once.",
            "Wait %(seconds)d seconds before the next code. A recovery code works at once.",
            answer.wait,
        ) % {"seconds": answer.wait}
    user_login_failed.send(sender=__name__, credentials={"username": name}, request=request)
    return _("This code is not right, or it was used already. Wait for the next code of your app.")


def _page(request: HttpRequest, user: User, error: str = "") -> HttpResponse:
    context: dict[str, Any] = {"title": _("Second factor"), "username": user.get_username(), "error": error}
    return render(request, "admin/access/code.html", context, status=403 if error else 200)
