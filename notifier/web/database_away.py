"""Middleware: 503 with Retry-After for a page that the database keeps from being answered, where Django says 500.

Addresses of the API have problem documents of their own (notifier.api.framework.guard).
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from notifier.api.framework.errors import RETRY_AFTER

log = structlog.get_logger("notifier.web")

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Not available</title>
<h1>Not available at the moment</h1><p>The database does not answer. What you sent may have been stored: look at it in
some seconds, before you send it again.</p>
"""


class DatabaseAway:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return unavailable_page(error)


def unavailable_page(error: BaseException | None) -> HttpResponse | None:
    """The page for an error of a database that is away; None for any other error."""
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    log.warning("database is away", action="page", error=type(error).__name__)
    return HttpResponse(_PAGE, status=503, headers={"Retry-After": str(RETRY_AFTER)})
