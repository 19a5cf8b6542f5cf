"""The page that sets up a second factor: a QR code for the app, a first code as proof, recovery codes shown once.

A user who must have a second factor comes here in the middle of a login; others come from the page of their login.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from tenants.login import lockout, second_factor, stages
from tenants.models import User


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def setup_page(request: HttpRequest) -> HttpResponse:
    user = _subject(request)
    if user is None:
        return HttpResponseRedirect(reverse("admin:login"))
    if second_factor.has_second_factor(user):
        # a password alone must not replace a second factor
        return HttpResponseRedirect(reverse("admin:account" if request.user.is_authenticated else "admin:login_code"))
    if request.method != "POST":
        return _page(request, user)
    codes = second_factor.confirm_setup(user, request.POST.get("code", "").replace(" ", "")[:10])
    if not codes:
        return _page(
            request, user, _("This code is not right. Check the clock of the phone, and type the newest code.")
        )
    if request.user.is_authenticated:
        return codes_page(request, codes, reverse("admin:account"))
    name = user.get_username()
    response = codes_page(request, codes, stages.finish(request, user) or reverse("admin:index"))
    lockout.mark_browser_known(response, name)
    return response


def codes_page(request: HttpRequest, codes: list[str], next_page: str) -> HttpResponse:
    """Recovery codes; no later page can show them."""
    context = {"title": _("Your recovery codes"), "codes": codes, "next_page": next_page}
    response = render(request, "admin/access/recovery_codes.html", context)
    response["Cache-Control"] = "no-store"
    return response


def qr_code(text: str) -> SafeString:
    """The text as an SVG image, made here: no other server learns the secret."""
    import qrcode
    from qrcode.image.svg import SvgPathImage

    image = qrcode.make(text, image_factory=SvgPathImage, border=2)
    buffer = BytesIO()
    image.save(buffer)
    svg = buffer.getvalue().decode()
    # the image's own bytes, of digits only
    return mark_safe(svg[svg.index("<svg") :])  # noqa: S308


def _subject(request: HttpRequest) -> User | None:
    """The user who is logged in, else the one in the middle of a login."""
    return request.user if isinstance(request.user, User) else stages.pending_user(request)


def _page(request: HttpRequest, user: User, error: str = "") -> HttpResponse:
    secret = second_factor.begin_setup(user)
    context: dict[str, Any] = {
        "title": _("Set up two-factor login"),
        "required": not request.user.is_authenticated,
        "secret": " ".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        "qr": qr_code(second_factor.otpauth_url(user, secret)),
        "error": error,
        "username": user.get_username(),
    }
    response = render(request, "admin/access/setup.html", context, status=400 if error else 200)
    response["Cache-Control"] = "no-store"
    return response
