"""/images/<tenant>/<name>: a picture of a template, for mail programs and phones. Public, and unguessable.

The address itself proves that this site made it (notifier.delivery.content.images): no login, no database, and no row
of any tenant is read. An address never changes its content, so that proxies and mail programs keep it for a year.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from notifier.delivery.content.attachments import storage
from notifier.delivery.content.images import TYPES, read_address
from notifier.vocabulary.mail import Unreadable
from notifier.web.csp import HEADER

_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    # mail in a browser shows the picture on another site
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Robots-Tag": "noindex",
    HEADER: "default-src 'none'; sandbox",
}


@csrf_exempt
@require_safe
@transaction.non_atomic_requests
def image(request: HttpRequest, tenant: str, name: str) -> HttpResponse:
    """404 for an address that this site did not make, and for a picture that the storage does not have."""
    named = read_address(tenant, name)
    if named is None:
        return _not_there()
    etag = f'"{named.digest}"'
    if request.headers.get("If-None-Match") == etag:
        answer = HttpResponse(status=304)
    else:
        try:
            answer = HttpResponse(storage.read(named.tenant_id, named.digest), content_type=TYPES[named.ending])
        except Unreadable:
            return _not_there()
    for header, value in _HEADERS.items():
        answer[header] = value
    answer["ETag"] = etag
    return answer


def _not_there() -> HttpResponse:
    return HttpResponse("There is no such picture.", status=404, content_type="text/plain", headers={
        "Cache-Control": "no-store",
    })  # fmt: skip
