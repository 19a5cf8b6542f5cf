"""The page of one's own login: second factor, recovery codes, sessions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from tenants.admin.entry.code import check_code
from tenants.admin.entry.setup import codes_page
from tenants.login import login_sessions, second_factor
from tenants.models import LoginSession, User

MOST_SESSIONS = 50
Context = Callable[[HttpRequest], dict[str, Any]]


class AccountPages:
    """`each_context` is that of the site."""

    def __init__(self, each_context: Context) -> None:
        self._each_context = each_context

    def page(self, request: HttpRequest) -> HttpResponse:
        return self.render(request)

    def render(self, request: HttpRequest, error: str = "") -> HttpResponse:
        user = cast(User, request.user)
        sessions = LoginSession.objects.filter(user=user).order_by("-last_used_at")[:MOST_SESSIONS]
        context = {
            **self._each_context(request),
            "title": _("Your login"),
            "has_second_factor": second_factor.has_second_factor(user),
            "required": second_factor.is_required(user),
            "unused_codes": second_factor.unused_recovery_codes(user),
            "sessions": list(sessions),
            "this_session": login_sessions.digest_of(request.session),
            "error": error,
        }
        response = TemplateResponse(request, "admin/access/account.html", context, status=403 if error else 200)
        response["Cache-Control"] = "no-store"
        return response

    def renew_codes(self, request: HttpRequest) -> HttpResponse:
        """New recovery codes, for a right code."""
        answer = check_code(request, cast(User, request.user))
        if answer:
            return answer if isinstance(answer, HttpResponse) else self.render(request, answer)
        return codes_page(request, second_factor.renew_recovery_codes(cast(User, request.user)), _account())

    def remove_factor(self, request: HttpRequest) -> HttpResponse:
        """No second factor any more, for a right code. A user who must have one sets up the next."""
        user = cast(User, request.user)
        answer = check_code(request, user)
        if answer:
            return answer if isinstance(answer, HttpResponse) else self.render(request, answer)
        second_factor.remove(user)
        if second_factor.is_required(user):
            return HttpResponseRedirect(reverse("admin:login_setup"))
        messages.success(request, _("Two-factor login is off. A password alone opens your login now."))
        return HttpResponseRedirect(_account())

    def end_session(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """End one of one's own sessions."""
        ended = login_sessions.end_sessions(_others(request).filter(pk=pk))
        if ended:
            messages.success(request, _("The session was ended."))
        return HttpResponseRedirect(_account())

    def end_others(self, request: HttpRequest) -> HttpResponse:
        """End all of one's own sessions but this one."""
        ended = login_sessions.end_sessions(_others(request))
        text = ngettext("%(count)d other session was ended.", "%(count)d other sessions were ended.", ended)
        messages.success(request, text % {"count": ended})
        return HttpResponseRedirect(_account())

    def addresses(self, wrap: Callable[[Any], Any]) -> list[Any]:
        from django.urls import path

        return [
            path("account/", wrap(self.page), name="account"),
            path("account/codes/", wrap(require_POST(self.renew_codes)), name="account_codes"),
            path("account/second-factor/remove/", wrap(require_POST(self.remove_factor)), name="account_remove_factor"),
            path("account/sessions/<uuid:pk>/end/", wrap(require_POST(self.end_session)), name="account_end_session"),
            path("account/sessions/end-others/", wrap(require_POST(self.end_others)), name="account_end_others"),
        ]


def _others(request: HttpRequest) -> Any:
    own = LoginSession.objects.filter(user=cast(User, request.user))
    return own.exclude(digest=login_sessions.digest_of(request.session))


def _account() -> str:
    return reverse("admin:account")
