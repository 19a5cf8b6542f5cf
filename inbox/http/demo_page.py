"""The demo page at /inbox/: what a recipient sees, with the widget that tenants embed.

Members may open it for recipients of their tenants. They only read, and the audit log records who opened which inbox.
`make demo` prints a signed link; its holder acts as that recipient while the tenant is in the sandbox.
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
from django.templatetags.static import static
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
VIEWED = "inbox.viewed"
LINK_SECONDS = 12 * 3600
#: a removed member keeps access for so long at most; the page requests its next token by itself
MEMBERS_TOKEN_SECONDS = 600
#: opening the page and the tokens that it requests within this time are one audit entry; later tokens have their own
_SAME_VIEW = timedelta(minutes=1)


class RecipientPage(Protocol):
    def __call__(self, request: HttpRequest, recipient: Recipient, /) -> HttpResponseBase: ...


def demo_link(recipient: Recipient) -> str:
    """The address of this recipient's demo page that needs no login and works for twelve hours."""
    signed = signing.dumps([str(recipient.tenant_id), str(recipient.pk)], salt=_SALT)
    return f"{settings.SITE_URL.rstrip('/')}{reverse('inbox-demo')}?{urlencode({'t': signed})}"


def for_recipient(view: RecipientPage) -> Any:
    """Decorator: give the view the recipient that the request names, if the request's link or member may see that
    recipient; else answer with the login page, or 404."""

    @wraps(view)
    @never_cache
    @require_GET
    def with_recipient(request: HttpRequest) -> HttpResponseBase:
        recipient = _recipient_of_link(request.GET["t"]) if _has_link(request) else _recipient_for_member(request)
        if recipient is None:
            return redirect_to_login(request.get_full_path())
        if not _has_link(request):
            _audit_view(request.user, recipient)
        return view(request, recipient)

    return with_recipient


@for_recipient
def page(request: HttpRequest, recipient: Recipient) -> HttpResponse:
    """The page."""
    context = {
        "recipient": recipient,
        "tenant": recipient.tenant,
        "token_url": f"{reverse('inbox-demo-token')}?{request.GET.urlencode()}",
        "worker_url": reverse("inbox-demo-worker"),
        "site_url": settings.SITE_URL.rstrip("/"),
        "read_only": not _has_link(request),
    }
    response = render(request, "inbox/demo.html", context)
    response[csp.HEADER] = f"{csp.policy(request)}; require-trusted-types-for 'script'"
    return response


@for_recipient
def token(request: HttpRequest, recipient: Recipient) -> HttpResponse:
    """A token for the widget on the page, as a tenant's server would give it. Without CORS headers, because only this
    site's page reads it."""
    minted, ends = mint(recipient) if _has_link(request) else mint(recipient, MEMBERS_TOKEN_SECONDS, read_only=True)
    return JsonResponse({"token": minted, "expires_at": ends.isoformat()})


@require_GET
def worker(request: HttpRequest) -> HttpResponse:
    """The page's service worker: the file that a tenant writes for a site of its own."""
    body = f'importScripts("{static("push/service-worker.js")}");\n'
    return HttpResponse(body, content_type="text/javascript", headers={"Cache-Control": "no-cache"})


def _has_link(request: HttpRequest) -> bool:
    return "t" in request.GET


def _audit_view(user: Any, recipient: Recipient) -> None:
    """Record that the user opened this inbox, once for a page and its first token."""
    recent = AuditLog.objects.filter(tenant_id=recipient.tenant_id, at__gt=datetime.now(UTC) - _SAME_VIEW)
    if not recent.filter(action=VIEWED, object_id=str(recipient.pk), user_id=user.pk).exists():
        audit.record(recipient.tenant_id, VIEWED, recipient.pk, by=audit.Actor(user))


def _recipient_of_link(signed: str) -> Recipient:
    try:
        tenant_id, recipient_id = map(uuid.UUID, signing.loads(signed, salt=_SALT, max_age=LINK_SECONDS))
    except signing.BadSignature:
        raise Http404("This link has expired.") from None
    set_scope([tenant_id])
    # the holder of the link acts as the recipient, so the link only works for tenants that reach no real recipient
    return _find(pk=recipient_id, tenant__sandbox=True)


def _recipient_for_member(request: HttpRequest) -> Recipient | None:
    user: User | AnonymousUser = request.user
    if not isinstance(user, User) or not user.is_staff:
        return None
    if user.is_superuser:
        set_scope(EVERY_TENANT)
        return _named_or_newest(request)
    tenant_ids = list(read_memberships(user))
    set_scope(tenant_ids)
    return _named_or_newest(request, tenant_id__in=tenant_ids)


def _named_or_newest(request: HttpRequest, **conditions: object) -> Recipient:
    """The recipient that the request names, else the one with the newest message. Row-level security enforces
    `conditions`, too."""
    if external_id := request.GET.get("recipient"):
        return _find(external_id=trimmed(external_id), **conditions)
    newest = Feed.objects.filter(**conditions).order_by("-last_seq").values_list("recipient_id", flat=True).first()
    return _find(pk=newest, **conditions)


def _find(**conditions: object) -> Recipient:
    recipient = Recipient.objects.select_related("tenant").filter(**conditions).first()
    if recipient is None or recipient.status != Recipient.State.ACTIVE:
        raise Http404("There is no such recipient.")
    return recipient


urlpatterns = [
    path("inbox/", page, name="inbox-demo"),
    path("inbox/token", token, name="inbox-demo-token"),
    path("inbox/service-worker.js", worker, name="inbox-demo-worker"),
]
