"""The first stage of a login: name and password. It leads to the second stage, or logs the user in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from tenants.login import stages
from tenants.models import User

PASSWORD_BACKEND = "tenants.login.backend.LoginBackend"  # noqa: S105


class FirstStage(LoginView):
    """Django's page; afterwards the second stage where one is due."""

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        if (page := second_stage(self.request, user, self.get_success_url(), PASSWORD_BACKEND)) is not None:
            return page
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "oidc_name": settings.OIDC_NAME if settings.OIDC_ISSUER else ""}


def second_stage(request: HttpRequest, user: User, next_page: str, backend: str) -> HttpResponse | None:
    """The redirect to the second stage; None when none is due and the caller may log the user in."""
    stage = stages.next_stage(user)
    if stage is stages.Stage.DONE:
        return None
    stages.begin(request, user, next_page, backend)
    return HttpResponseRedirect(reverse("admin:login_code" if stage is stages.Stage.CODE else "admin:login_setup"))
