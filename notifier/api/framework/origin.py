"""Where a choice of a recipient came from, for the proof of an opt-in."""

from __future__ import annotations

from typing import Any

from notifier.delivery.opt_in.requests import Origin
from notifier.vocabulary.status import Mode


def origin_of(request: Any, by: str, mode: Mode = Mode.LIVE) -> Origin:
    """`request`: of Django, or of Django REST framework. `by`: api, page or widget. The address is the one that the web
    server gives: behind a proxy that it trusts, the client's. `mode`: of the API key."""
    return Origin.from_headers(by, request.META.get("REMOTE_ADDR"), request.META.get("HTTP_USER_AGENT"), mode)
