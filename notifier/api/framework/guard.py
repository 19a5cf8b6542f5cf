"""What holds for everything under /v1/, before a view runs and where no view can answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from notifier.api.framework import body, paths
from notifier.api.framework.errors import Problem, TooLarge, log, problem_of, problem_response

PREFIX = "/v1/"
#: longer values in a query string name nothing of ours
MAX_QUERY = 2048


class ApiGuard:
    """Middleware: body limit, storable addresses, and a problem document for errors outside of views, such as a
    database that is away when the request's transaction begins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(PREFIX):
            try:
                request.path_info = paths.routed_path(request)
            except paths.Malformed as error:
                return problem_response(Problem(400, "malformed_path", str(error)), request)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> HttpResponse | None:
        if not request.path.startswith(PREFIX):
            return None
        if wrong := address_problem(request, kwargs):
            return problem_response(wrong, request)
        if packed := compression_problem(request):
            return problem_response(packed, request)
        if is_streamed(request, view):
            return None
        try:
            body.read_limited(request)
        except TooLarge as error:
            return problem_response(problem_of(error), request)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not request.path.startswith(PREFIX):
            return None
        told = problem_of(error)
        if told.status == 500:
            log.error("unexpected error", action="api error", exc_info=error)
        return problem_response(told, request)


def compression_problem(request: HttpRequest) -> Problem | None:
    """A body that is not as it seems; a megabyte of gzip holds a gigabyte."""
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in ("", "identity"):
        return None
    detail = "Send the body as it is, without Content-Encoding."
    return Problem(415, "unsupported_media_type", detail, headers={"Accept-Encoding": "identity"})


def is_streamed(request: HttpRequest, view: Any) -> bool:
    """Whether the view reads this media type line by line, under a limit of its own (IMPORT_MAX_BYTES)."""
    return bool(request.content_type) and request.content_type == getattr(getattr(view, "cls", None), "streams", None)


def address_problem(request: HttpRequest, kwargs: Mapping[str, Any]) -> Problem | None:
    """PostgreSQL takes no U+0000: in a path it names nothing, in the query it is wrong."""
    if any(isinstance(value, str) and "\0" in value for value in kwargs.values()):
        return Problem(404, "not_found", "There is nothing at this address.")
    if field := paths.undecodable(request.META.get("QUERY_STRING", "")):
        return Problem(400, "invalid", "The value is not UTF-8, percent-encoded: ü is %C3%BC.", field)
    for name, values in request.GET.lists():
        if "\0" in name or any("\0" in value or len(value) > MAX_QUERY for value in values):
            field = name.replace("\0", "\\u0000")[:100]
            return Problem(400, "invalid", "The value holds U+0000 or is too long.", field)
    return None
