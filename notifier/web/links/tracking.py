"""/c/<token>/<delivery id>: leads on to a link of an email. /o/<token>/<delivery id>: an image of one pixel.

Public and cheap: no session, no cookie, no database; what was seen goes to a buffer
(notifier.delivery.engagement.hits). A token that this site did not sign leads nowhere.
"""

from __future__ import annotations

import time
import uuid
from base64 import b64decode

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import iri_to_uri
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from notifier.delivery.content.tracking.tracked_link import TrackedLink, read_token
from notifier.delivery.engagement import machines
from notifier.delivery.engagement.hits import Arrived, Hit, buffer
from notifier.vocabulary.receipts import EventKind

#: a transparent GIF of one pixel: 42 bytes
PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_CHANNEL = "email"
#: each opening is to be seen; no search engine is to list the address
_HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


@csrf_exempt
@require_safe
@transaction.non_atomic_requests
def click(request: HttpRequest, token: str, delivery: str = "") -> HttpResponse:
    """Redirects to the URL that the token holds, whatever the delivery id says: a mail client may have cut it."""
    link = read_token(token)
    if link is None or not link.url:
        return _nothing()
    _note(request, EventKind.CLICKED, link, delivery)
    return HttpResponse(status=302, headers={**_HEADERS, "Location": iri_to_uri(link.url)})


@csrf_exempt
@require_safe
@transaction.non_atomic_requests
def opened(request: HttpRequest, token: str, delivery: str = "") -> HttpResponse:
    """The pixel."""
    link = read_token(token)
    if link is None or link.url:
        return _nothing()
    _note(request, EventKind.OPENED, link, delivery)
    return HttpResponse(PIXEL, content_type="image/gif", headers=_HEADERS)


def _nothing() -> HttpResponse:
    return HttpResponse(b"", status=404, content_type="text/plain", headers=_HEADERS)


def _note(request: HttpRequest, kind: EventKind, link: TrackedLink, delivery: str) -> None:
    """Neither the agent nor the network address is kept: only whether they are a machine's."""
    machine = machines.by_request(request.method or "", request.headers)
    now = time.time()
    if link.campaign_id is not None:
        hit = Hit(kind, now, machine, campaign=link.campaign_id.hex)
    elif delivery_id := _id_of(delivery):
        hit = Hit(kind, now, machine, delivery=delivery_id.hex, url=link.url)
    else:
        return
    buffer.add(Arrived(link.tenant_id, _CHANNEL, hit))


def _id_of(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if len(text) == 32 else None
    except ValueError:
        return None
