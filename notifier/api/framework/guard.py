"""Checks every request under /v1/ before its view runs, and answers where no view can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from notifier import failpoints
from notifier.api.framework import body, paths
from notifier.api.framework.errors import Problem, TooLarge, log, problem_of, problem_response
from notifier.values.text import escaped, is_storable

PREFIX = "/v1/"
#: characters; no parameter of the API has longer values
MAX_QUERY = 2048


class ApiGuard:
    """Middleware: limits the body, refuses addresses that cannot be stored, and answers errors outside of views with a
    problem document, such as a database that is away when the request's transaction begins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(PREFIX):
            try:
                request.path_info = paths.routed_path(request)
            except paths.Malformed as error:
                return problem_response(Problem(400, "malformed_path", str(error)), request)
        response = self.get_response(request)
        if request.method == "POST":
            failpoints.reach("view.before-answer")
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> HttpResponse | None:
        if not request.path.startswith(PREFIX):
            return None
        if problem := address_problem(request, kwargs) or compression_problem(request):
            return problem_response(problem, request)
        if is_streamed(request, view):
            return None
        try:
            body.read_limited(request, max_body_of(view))
        except TooLarge as error:
            return problem_response(problem_of(error), request)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not request.path.startswith(PREFIX):
            return None
        problem = problem_of(error)
        if problem.status == 500:
            log.error("unexpected error", action="api error", exc_info=error)
        return problem_response(problem, request)


def compression_problem(request: HttpRequest) -> Problem | None:
    """The refusal of a compressed body: a megabyte of gzip holds a gigabyte."""
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in ("", "identity"):
        return None
    detail = "Send the body as it is, without Content-Encoding."
    return Problem(415, "unsupported_media_type", detail, headers={"Accept-Encoding": "identity"})


def max_body_of(view: Any) -> int:
    """Bytes of a JSON body that the view takes."""
    return int(getattr(getattr(view, "cls", None), "max_body", body.MAX_BODY))


def is_streamed(request: HttpRequest, view: Any) -> bool:
    """Whether the view reads this media type line by line, under a limit of its own (IMPORT_MAX_BYTES)."""
    return bool(request.content_type) and request.content_type == getattr(getattr(view, "cls", None), "streams", None)


def address_problem(request: HttpRequest, kwargs: Mapping[str, Any]) -> Problem | None:
    """The refusal of an address with U+0000, which PostgreSQL cannot store: 404 in a path, which can name nothing with
    it; 400 in the query. Values that are not UTF-8 or too long are refused too."""
    if any(isinstance(value, str) and not is_storable(value) for value in kwargs.values()):
        return Problem(404, "not_found", "There is nothing at this address.")
    if field := paths.undecodable(request.META.get("QUERY_STRING", "")):
        return Problem(400, "invalid", "The value is not UTF-8, percent-encoded: ü is %C3%BC.", field)
    for name, values in request.GET.lists():
        if not is_storable(name) or any(len(value) > MAX_QUERY or not is_storable(value) for value in values):
            field = escaped(name)[:100]
            return Problem(400, "invalid", "The value holds U+0000 or is too long.", field)
    return None
