"""Which requests read the replica: those of lists and reports, by a caller that has written nothing just now, while the
replica is close behind.

Only a good answer of the replica counts. Whatever else comes of it, such as an error, a row that is not there yet or a
statement that writes, the primary is asked as if the replica did not exist. But a statement that was cancelled, because
it took too long or its client left, is not run a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from psycopg.errors import QueryCanceled, ReadOnlySqlTransaction
from rest_framework.exceptions import AuthenticationFailed

from notifier.api.framework.authentication import digest_of
from notifier.api.framework.errors import problem_of, problem_response
from notifier.api.framework.guard import PREFIX
from notifier.web.database_away import unavailable_page
from notifier.web.replica import pins
from notifier.web.replica.lag import REPLICA, watch
from notifier.web.serving.disconnects import statements_on
from tenants.database.connections import using

log = structlog.get_logger("notifier.web.replica")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: pages of the admin beside all lists of rows
ADMIN_PAGES = frozenset({"find", "campaigns_schedule_calendar"})
#: pages of the admin that write although they are asked for by GET: who comes back from the identity provider
WRITING_PAGES = frozenset({"oidc_callback"})
#: classes of SQLSTATE: connection exceptions, and a server that shuts down or does not take connections
_LOST = ("08", "57P")


class ReadReplica:
    """The last middleware, so that all others have done their part before the view runs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if settings.REPLICA_DATABASE_URL and _may_have_written(request):
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
        if isinstance(error.__cause__, QueryCanceled):
            return _too_slow(request, error)
        if is_lost(error):
            watch.failed()
        if not isinstance(error.__cause__, ReadOnlySqlTransaction):
            log.warning("asked the primary instead", action="replica", error=type(error).__name__)
        return None
    except Exception as error:  # the primary's answer, or its error, is what the caller gets
        log.info("asked the primary instead", action="replica", error=type(error).__name__)
        return None
    if response.status_code != 200 and not _says_too_slow(response):
        return None
    structlog.contextvars.bind_contextvars(database=REPLICA)
    return response


def is_lost(error: Error) -> bool:
    """Whether the connection to the replica was lost or refused: a mere statement may fail at a sound server, too."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(_LOST)


def _too_slow(request: HttpRequest, error: Error) -> HttpResponse | None:
    if request.path.startswith(PREFIX):
        return problem_response(problem_of(error), request)
    return unavailable_page(error)


def _says_too_slow(response: HttpResponse) -> bool:
    """Whether a view of the API, which answers errors itself, met a cancelled statement."""
    data = getattr(response, "data", None)
    return response.status_code == 503 and isinstance(data, dict) and data.get("code") == "database_too_slow"


def _may_have_written(request: HttpRequest) -> bool:
    match = request.resolver_match
    return request.method not in _SAFE or (
        match is not None and match.namespaces == ["admin"] and match.url_name in WRITING_PAGES
    )


def _has_written(request: HttpRequest) -> bool:
    if not request.path.startswith(PREFIX):
        return pins.browser_has_written(request)
    digest = _key_digest(request)
    return digest is None or pins.is_turn_of_primary(digest) or pins.key_has_written(digest)


def _remember_write(request: HttpRequest, response: HttpResponseBase) -> None:
    if not request.path.startswith(PREFIX):
        pins.browser_wrote(response)
    elif response.status_code < 400 and (digest := _key_digest(request)) is not None:
        # what is refused wrote nothing, and perhaps no such key exists
        pins.key_wrote([digest])


def _key_digest(request: HttpRequest) -> bytes | None:
    """None for a request without a key."""
    try:
        return digest_of(request.headers.get("authorization", ""))
    except AuthenticationFailed:
        return None
