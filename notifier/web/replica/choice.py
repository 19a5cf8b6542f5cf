"""Which requests read the replica: those of lists and reports, by a caller that has written nothing just now, while the
replica is close behind.

Only a good answer of the replica counts. Whatever else comes of it, such as an error, a row that is not there yet or a
statement that writes, the primary is asked as if the replica did not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from psycopg.errors import ReadOnlySqlTransaction
from rest_framework.exceptions import AuthenticationFailed

from notifier.api.framework.authentication import digest_of
from notifier.api.framework.guard import PREFIX
from notifier.web.disconnects import statements_on
from notifier.web.replica import pins
from notifier.web.replica.lag import REPLICA, watch
from tenants.database.connections import using

log = structlog.get_logger("notifier.web.replica")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: pages of the admin beside all lists of rows
ADMIN_PAGES = frozenset({"find", "campaigns_schedule_calendar"})


class ReadReplica:
    """The last middleware, so that all others have done their part before the view runs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if settings.REPLICA_DATABASE_URL and request.method not in _SAFE:
            _remember_write(request, response)
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> HttpResponse | None:
        """The replica's answer; None when the view shall run as always."""
        if not settings.REPLICA_DATABASE_URL or request.method != "GET" or not may_read_replica(request, view):
            return None
        if not watch.may_be_read() or _has_written(request):
            return None
        return _ask_replica(request, lambda: view(request, *args, **kwargs))


def may_read_replica(request: HttpRequest, view: Any) -> bool:
    """Whether the page is a list or a report. A view of the API says so itself (`reads_replica`)."""
    match = request.resolver_match
    if request.path.startswith(PREFIX):
        return bool(getattr(getattr(view, "cls", None), "reads_replica", False))
    if match is None or match.namespaces != ["admin"]:
        return False
    return str(match.url_name).endswith("_changelist") or match.url_name in ADMIN_PAGES


def _ask_replica(request: HttpRequest, answer: Callable[[], HttpResponse]) -> HttpResponse | None:
    # who is logged in is read from the primary: a session that ended opens nothing
    if not request.path.startswith(PREFIX) and not request.user.is_authenticated:
        return None
    try:
        with using(REPLICA) as connection:
            try:
                with statements_on(connection), transaction.atomic():
                    response = answer()
            finally:
                connection.close()  # back to its pool
    except Error as error:
        if not isinstance(error.__cause__, ReadOnlySqlTransaction):
            watch.failed()
            log.warning("asked the primary instead", action="replica", error=type(error).__name__)
        return None
    except Exception as error:  # the primary's answer, or its error, is what the caller gets
        log.info("asked the primary instead", action="replica", error=type(error).__name__)
        return None
    if response.status_code != 200:
        return None
    structlog.contextvars.bind_contextvars(database=REPLICA)
    return response


def _has_written(request: HttpRequest) -> bool:
    if not request.path.startswith(PREFIX):
        return pins.browser_has_written(request)
    digest = _key_digest(request)
    return digest is None or pins.is_turn_of_primary(digest) or pins.key_has_written(digest)


def _remember_write(request: HttpRequest, response: HttpResponseBase) -> None:
    if not request.path.startswith(PREFIX):
        pins.browser_wrote(response)
    elif (digest := _key_digest(request)) is not None:
        pins.key_wrote([digest])


def _key_digest(request: HttpRequest) -> bytes | None:
    """None for a request without a key."""
    try:
        return digest_of(request.headers.get("authorization", ""))
    except AuthenticationFailed:
        return None
