"""Every error as a problem document (RFC 9457): its HTTP status, and what the caller may know."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception
from django.db import DataError, Error, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from psycopg.errors import QueryCanceled
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from notifier import errors
from notifier.api.framework.body import TooLarge as TooLarge  # one of the errors that a view may raise

MEDIA_TYPE = "application/problem+json"
#: seconds until a client should try again; a restart of the database takes about as long
RETRY_AFTER = 5

TITLES = {
    400: "The request is not valid",
    401: "A valid key is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "The request came too slowly",
    409: "Not possible in the present state",
    413: "The body is too large",
    415: "Unsupported media type",
    422: "The same key came with another request",
    429: "Too many",
    500: "Something went wrong on our side",
    503: "Not available at the moment",
}

#: a subclass stands before its base class: the first match decides
STATUS_OF: tuple[tuple[type[errors.NotifierError], int], ...] = (
    (errors.InvalidInput, 400),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.IdempotencyMismatch, 422),
    (errors.QueueFull, 429),
    (errors.RateLimited, 429),
    (errors.QuotaExceeded, 429),
    (errors.Forged, 401),
    (errors.ReadOnly, 403),
    (errors.Unconfigured, 409),
    (errors.Unavailable, 503),
    (errors.NotifierError, 400),
)
CODE_OF_STATUS = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    415: "unsupported_media_type",
    429: "rate_limited",
}
#: a connection may end while the database commits
_UNAVAILABLE = (
    "The database does not answer. The request may have been stored: send it again with the same Idempotency-Key."
)
log = structlog.get_logger("notifier.api")


@dataclass(frozen=True)
class Problem:
    """The answer to a request that failed."""

    status: int
    code: str
    detail: str
    field: str | None = None
    errors: tuple[dict[str, str], ...] = ()
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def document(self, path: str = "") -> dict[str, Any]:
        """The problem document; `errors` lists every field when more than one is wrong."""
        document: dict[str, Any] = {
            "type": f"urn:notifier:problem:{self.code}",
            "title": TITLES.get(self.status, "The request failed"),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "field": self.field,
        }
        if self.errors:
            document["errors"] = list(self.errors)
        return {**document, "instance": path, "request_id": request_id()} if path else document


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response:
    """For DRF: roll back what the request did, and answer with the problem."""
    set_rollback()
    request = context["request"]._request
    problem = problem_of(exc)
    if problem.status == 500:
        log.exception("unexpected error", action="api error")
        got_request_exception.send(sender=type(context.get("view")), request=request)
    elif problem.status == 503:
        log.warning("database is away", action="api error", error=type(exc).__name__)
    return Response(
        problem.document(request.path), status=problem.status, headers=dict(problem.headers), content_type=MEDIA_TYPE
    )


def problem_of(exc: BaseException) -> Problem:
    """The problem document for an exception. Pure. An unexpected exception shows nothing of itself."""
    if isinstance(exc, errors.NotifierError):
        return _deliberate(exc)
    if isinstance(exc, Http404):
        return Problem(404, "not_found", "There is nothing at this address.")
    if isinstance(exc, PermissionDenied):
        return Problem(403, "forbidden", "This is not allowed.")
    if isinstance(exc, exceptions.ValidationError):
        return _invalid(exc)
    if isinstance(exc, exceptions.APIException):
        return _framework(exc)
    if isinstance(exc, Error):
        return _database(exc)
    return Problem(500, "internal", "The error was recorded. Nothing was stored; you may try again.")


def _deliberate(exc: errors.NotifierError) -> Problem:
    status = next(code for kind, code in STATUS_OF if isinstance(exc, kind))
    headers = {"Retry-After": str(getattr(exc, "retry_after", RETRY_AFTER))} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="notifier"'
    return Problem(status, exc.code, exc.message, exc.field, headers=headers)


def _framework(exc: exceptions.APIException) -> Problem:
    headers = {}
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = str(auth_header)
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    code = CODE_OF_STATUS.get(exc.status_code) or str(exc.default_code)
    if isinstance(exc, exceptions.ParseError):
        code = "malformed_json"
    return Problem(exc.status_code, code, str(exc.detail), headers=headers)


def _database(exc: Error) -> Problem:
    if isinstance(exc.__cause__, QueryCanceled):
        headers = {"Retry-After": str(RETRY_AFTER)}
        return Problem(503, "database_too_slow", "It took the database too long. Nothing was stored.", headers=headers)
    if isinstance(exc, OperationalError | InterfaceError):
        headers = {"Retry-After": str(RETRY_AFTER)}
        return Problem(503, "unavailable", _UNAVAILABLE, headers=headers)
    if isinstance(exc, IntegrityError):
        return Problem(409, "conflict", "Another request changed the same thing at the same time; try again.")
    if isinstance(exc, DataError):
        return Problem(400, "invalid", "A value cannot be stored.")
    return Problem(500, "internal", "The error was recorded. Nothing was stored; you may try again.")


def _invalid(exc: exceptions.ValidationError) -> Problem:
    problems = list(_flat(exc.detail, ""))
    first = problems[0] if problems else {"field": "", "code": "invalid", "detail": "The request is not valid."}
    return Problem(
        400,
        first["code"],
        first["detail"],
        first["field"] or None,
        errors=tuple(problems) if len(problems) > 1 else (),
    )


def _flat(detail: Any, path: str) -> Iterator[dict[str, str]]:
    """{"a": [{"b": ["wrong"]}]} -> a.0.b: wrong."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _flat(inner, path if name == "non_field_errors" else f"{path}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from _flat(inner, f"{path}.{index}".lstrip(".") if nested else path)
    else:
        yield {"field": path, "code": str(getattr(detail, "code", "invalid")), "detail": str(detail)}


def request_id() -> str:
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def problem_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """The same answer outside of DRF: from middlewares and from plain Django views."""
    return JsonResponse(
        problem.document(request.path), status=problem.status, content_type=MEDIA_TYPE, headers=dict(problem.headers)
    )


def current_problem() -> Problem:
    """The problem for the exception that is being handled; for Django's handler500."""
    exception = sys.exc_info()[1]
    return problem_of(exception) if exception is not None else Problem(500, "internal", "The error was recorded.")
