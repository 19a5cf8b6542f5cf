"""The demo page at /inbox/: what a recipient sees, with the widget that tenants embed.

Open to admin members for recipients of their tenants: they only look, and the audit log keeps who looked at whose
inbox. `make demo` prints a signed link, with which anybody acts as that recipient while the tenant is in the sandbox.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
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
from notifier.values.trim import trimmed
from notifier.web import csp
from tenants import audit
from tenants.access import EVERY_TENANT, read_memberships, set_scope
from tenants.models import AuditLog, Recipient, User

_SALT = "inbox.demo"
LOOKED = "inbox.viewed"
LINK_SECONDS = 12 * 3600
#: a member who is removed goes on looking for so long at most; the page asks for the next token by itself
MEMBERS_TOKEN_SECONDS = 600
#: the page and each of its tokens within it are one look; a page that stays open is one look per token
_ONE_LOOK = timedelta(minutes=1)


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
        recipient = _of_link(request.GET["t"]) if _has_link(request) else _of_member(request)
        if recipient is None:
            return redirect_to_login(request.get_full_path())
        if not _has_link(request):
            _note_look(request.user, recipient)
        return view(request, recipient)

    return found


@for_recipient
def page(request: HttpRequest, recipient: Recipient) -> HttpResponse:
    """The page."""
    context = {
        "recipient": recipient,
        "tenant": recipient.tenant,
        "token_url": f"{reverse('inbox-demo-token')}?{request.GET.urlencode()}",
        "site_url": settings.SITE_URL.rstrip("/"),
        "read_only": not _has_link(request),
    }
    response = render(request, "inbox/demo.html", context)
    response[csp.HEADER] = f"{csp.policy(request)}; require-trusted-types-for 'script'"
    return response


@for_recipient
def token(request: HttpRequest, recipient: Recipient) -> HttpResponse:
    """What the widget on the page asks for, as it would ask a tenant's server. No CORS: only our own page reads it."""
    minted, ends = mint(recipient) if _has_link(request) else mint(recipient, MEMBERS_TOKEN_SECONDS, read_only=True)
    return JsonResponse({"token": minted, "expires_at": ends.isoformat()})


def _has_link(request: HttpRequest) -> bool:
    return "t" in request.GET


def _note_look(user: Any, recipient: Recipient) -> None:
    """Who looked at whose inbox; not again for what one page asks for."""
    recent = AuditLog.objects.filter(tenant_id=recipient.tenant_id, at__gt=datetime.now(UTC) - _ONE_LOOK)
    if not recent.filter(action=LOOKED, object_id=str(recipient.pk), user_id=user.pk).exists():
        audit.record(recipient.tenant_id, LOOKED, recipient.pk, user=user)


def _of_link(signed: str) -> Recipient:
    try:
        tenant_id, recipient_id = map(uuid.UUID, signing.loads(signed, salt=_SALT, max_age=LINK_SECONDS))
    except signing.BadSignature:
        raise Http404("This link is over.") from None
    set_scope([tenant_id])
    # whoever holds the link acts as the recipient, so it opens nobody who can be reached
    return _one(pk=recipient_id, tenant__sandbox=True)


def _of_member(request: HttpRequest) -> Recipient | None:
    user: User | AnonymousUser = request.user
    if not isinstance(user, User) or not user.is_staff:
        return None
    if user.is_superuser:
        set_scope(EVERY_TENANT)
        return _asked_for(request)
    mine = list(read_memberships(user))
    set_scope(mine)
    return _asked_for(request, tenant_id__in=mine)


def _asked_for(request: HttpRequest, **within: object) -> Recipient:
    """Who is named, or who got the newest message. Row-level security keeps to `within`, too."""
    if external_id := request.GET.get("recipient"):
        return _one(external_id=trimmed(external_id), **within)
    newest = Feed.objects.filter(**within).order_by("-last_seq").values_list("recipient_id", flat=True).first()
    return _one(pk=newest, **within)


def _one(**which: object) -> Recipient:
    recipient = Recipient.objects.select_related("tenant").filter(**which).first()
    if recipient is None or recipient.status != Recipient.State.ACTIVE:
        raise Http404("There is no such recipient.")
    return recipient


urlpatterns = [
    path("inbox/", page, name="inbox-demo"),
    path("inbox/token", token, name="inbox-demo-token"),
]
