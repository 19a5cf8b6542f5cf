"""The two addresses of a login by OIDC: the way to the provider, and the way back."""

from __future__ import annotations

from typing import Any

import jwt
import requests
from django.conf import settings
from django.contrib.auth import login
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from tenants import members
from tenants.access import set_scope
from tenants.admin.entry.join import JOINING
from tenants.admin.entry.login import second_stage
from tenants.login import oidc

#: what a provider that is away, or answers in another form, raises
_BROKEN = (requests.RequestException, jwt.PyJWTError, ValueError, KeyError, TypeError)


class Begin(OIDCAuthenticationRequestView):  # type: ignore[misc]  # mozilla-django-oidc is not typed
    def __init__(self, **kwargs: Any) -> None:
        super(OIDCAuthenticationRequestView, self).__init__(**kwargs)

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return oidc.setting(attr, *args)

    def get(self, request: HttpRequest) -> HttpResponse:
        if not settings.OIDC_ISSUER:
            raise Http404("No OIDC provider is configured.")
        try:
            self.OIDC_OP_AUTH_ENDPOINT = oidc.setting("OIDC_OP_AUTHORIZATION_ENDPOINT")
            self.OIDC_RP_CLIENT_ID = settings.OIDC_CLIENT_ID
            response: HttpResponse = super().get(request)
        except _BROKEN as error:
            return _failed(request, error)
        return response


class Callback(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return oidc.setting(attr, *args)

    def get(self, request: HttpRequest) -> HttpResponse:
        if not settings.OIDC_ISSUER:
            raise Http404("No OIDC provider is configured.")
        request.__dict__[oidc.INVITED] = _is_invited(request)
        try:
            with transaction.atomic():
                response: HttpResponse = super().get(request)
        except (*_BROKEN, SuspiciousOperation) as error:
            return _failed(request, error)
        return response

    def login_success(self) -> HttpResponse:
        user = self.user
        next_page = self.request.session.pop("oidc_login_next", None) or reverse("admin:index")
        user.refresh_from_db(fields=["provider_second_factor"])
        if not user.provider_second_factor:
            page = second_stage(self.request, user, next_page, oidc.BACKEND)
            if page is not None:
                return page
        login(self.request, user, backend=oidc.BACKEND)
        return HttpResponseRedirect(next_page)

    def login_failure(self) -> HttpResponse:
        return _page(
            self.request,
            _("Nothing here is open to you"),
            _("Your organisation knows you, but no tenant of this site is open to you. Ask an owner to invite you."),
            403,
        )


def _is_invited(request: HttpRequest) -> bool:
    """Whether this browser came from the page of an open invitation."""
    token = request.session.get(JOINING)
    if not token:
        return False
    with transaction.atomic():
        invitation = members.find_open(str(token))
        set_scope(())
    return invitation is not None


def _failed(request: HttpRequest, error: Exception) -> HttpResponse:
    # the type only: the text may quote tokens
    oidc.log.warning("oidc login failed", action="login.oidc_failed", error=type(error).__name__)
    return _page(
        request,
        _("This login did not work"),
        _("Your organisation's login server gave no answer that can be used, or this page is too old. Try again."),
        502 if isinstance(error, requests.RequestException) else 400,
    )


def _page(request: HttpRequest, title: str, text: str, status: int) -> HttpResponse:
    return render(request, "admin/access/oidc_failed.html", {"title": title, "text": text}, status=status)
