"""The demo page at /inbox/: what a recipient sees, with the widget that tenants embed.

Open to admin members for recipients of their tenants, and to whoever holds a signed link that `make demo` prints.
"""

from __future__ import annotations

import uuid
from functools import wraps
from typing import Any, Protocol
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from inbox.models import Feed
from inbox.tokens import mint
from notifier.trim import trimmed
from tenants.access import EVERY_TENANT, memberships, set_scope
from tenants.models import Recipient, User

_SALT = "inbox.demo"
LINK_SECONDS = 12 * 3600


class RecipientView(Protocol):
    def __call__(self, request: HttpRequest, recipient: Recipient, /) -> HttpResponseBase: ...


def demo_link(recipient: Recipient) -> str:
    """The demo page of this recipient for who has no login, for twelve hours."""
    signed = signing.dumps([str(recipient.tenant_id), str(recipient.pk)], salt=_SALT)
    return f"{settings.SITE_URL.rstrip('/')}{reverse('inbox-demo')}?{urlencode({'t': signed})}"


def for_recipient(view: RecipientView) -> Any:
    """Find whose inbox is asked for, within what the asker may see; else the login page, or 404."""

    @wraps(view)
    @never_cache
    @require_GET
    def found(request: HttpRequest) -> HttpResponseBase:
        recipient = _of_link(request.GET["t"]) if "t" in request.GET else _of_member(request)
        return redirect_to_login(request.get_full_path()) if recipient is None else view(request, recipient)

    return found


@for_recipient
def page(request: HttpRequest, recipient: Recipient) -> HttpResponse:
    """The page."""
    context = {
        "recipient": recipient,
        "tenant": recipient.tenant,
        "token_url": f"{reverse('inbox-demo-token')}?{request.GET.urlencode()}",
        "site_url": settings.SITE_URL.rstrip("/"),
    }
    response = render(request, "inbox/demo.html", context)
    response["Content-Security-Policy"] = _policy(request)
    return response


@for_recipient
def token(request: HttpRequest, recipient: Recipient) -> HttpResponse:
    """What the widget on the page asks for, as it would ask a tenant's server. No CORS: only our own page reads it."""
    minted, ends = mint(recipient)
    return JsonResponse({"token": minted, "expires_at": ends.isoformat()})


def _policy(request: HttpRequest) -> str:
    # 'self' does not cover WebSockets in every browser
    socket = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {socket}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    )


def _of_link(signed: str) -> Recipient:
    try:
        tenant_id, recipient_id = map(uuid.UUID, signing.loads(signed, salt=_SALT, max_age=LINK_SECONDS))
    except signing.BadSignature:
        raise Http404("This link is over.") from None
    set_scope([tenant_id])
    return _one(pk=recipient_id)


def _of_member(request: HttpRequest) -> Recipient | None:
    user: User | AnonymousUser = request.user
    if not isinstance(user, User) or not user.is_staff:
        return None
    set_scope(EVERY_TENANT if user.is_superuser else memberships(user))
    if external_id := request.GET.get("recipient"):
        return _one(external_id=trimmed(external_id))
    newest = Feed.objects.order_by("-last_seq").values_list("recipient_id", flat=True).first()
    return _one(pk=newest)


def _one(**which: object) -> Recipient:
    recipient = Recipient.objects.select_related("tenant").filter(**which).first()
    if recipient is None or recipient.status != Recipient.State.ACTIVE:
        raise Http404("There is no such recipient.")
    return recipient


urlpatterns = [
    path("inbox/", page, name="inbox-demo"),
    path("inbox/token", token, name="inbox-demo-token"),
]
