"""/view/<token>: an email as a page, for its recipient, by the signed link `view_in_browser_url`.

The page is the tenant's HTML on our own host, so its policy runs no script, sends no form and gives it an origin of its
own (`sandbox`): it can read no cookie of this site. Images load from https addresses, as in a mail program. Nothing is
tracked: neither the pixel nor counted links are in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from notifier.delivery.content.links.browser_link import BrowserLink, read_token
from notifier.delivery.content.links.campaign_emails import email_of_campaign
from notifier.models import Delivery
from notifier.web.csp import HEADER
from tenants.access import scope
from tenants.models import Recipient

_POLICY = (
    "default-src 'none'; img-src https: data:; style-src 'unsafe-inline' https:; font-src https: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


@csrf_exempt
@require_safe
@transaction.non_atomic_requests
def view_in_browser(request: HttpRequest, token: str) -> HttpResponse:
    """404 for a link that this site did not make, and for an email or a person that was erased."""
    link = read_token(token)
    parts = None
    if link is not None:
        with scope(link.tenant_id):
            parts = _email(link)
    if parts is not None and parts.get("html"):
        answer, policy = HttpResponse(str(parts["html"])), _POLICY
    elif parts is not None and parts.get("text"):
        answer, policy = render(request, "view_text.html", {"parts": parts}), _POLICY
    else:
        answer, policy = render(request, "view_gone.html", status=404), ""
    for name, value in {**_HEADERS, **({HEADER: policy} if policy else {})}.items():
        answer[name] = value
    return answer


def _email(link: BrowserLink) -> Mapping[str, Any] | None:
    """The rendered parts; needs the tenant's scope. Of a notification the parts as they were sent."""
    if link.notification_id is None:
        assert link.campaign_id is not None
        return email_of_campaign(link.tenant_id, link.campaign_id, link.recipient_id)
    person = Recipient.objects.filter(tenant_id=link.tenant_id, pk=link.recipient_id)
    if not person.exclude(status=Recipient.State.ERASED).exists():
        return None
    rows = Delivery.objects.filter(
        tenant_id=link.tenant_id,
        notification_id=link.notification_id,
        recipient_id=link.recipient_id,
        channel="email",
        content__isnull=False,
    )
    content: Mapping[str, Any] | None = rows.values_list("content", flat=True).first()
    return content
