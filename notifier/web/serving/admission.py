"""Decides whether a caller may send a large body, before the body is read.

The handler (`handler.py`) sends the request through the middlewares once without its body. This middleware runs after
routing, so it can run the authentication and the permissions of the view without the view itself. A refused caller gets
the answer that the view would have given later, such as 401.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated
from rest_framework.views import APIView

from notifier.api.framework.body import MAX_BODY
from notifier.api.framework.errors import RETRY_AFTER, Problem, problem_of, problem_response
from notifier.api.framework.guard import PREFIX, is_streamed, max_body_of
from notifier.errors import NotifierError

#: the key of the ASGI scope under which the handler stores its question
QUESTION = "notifier.question"
#: bytes of a form beside its file
FORM_BYTES = 1024 * 1024


class Question(enum.Enum):
    """What the handler asks the middlewares about a request whose body it has not read: whether the caller may send the
    body (MAY_SEND), or for the answer that refuses the body."""

    MAY_SEND = "may_send"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    TOO_MANY = "too_many"


REFUSALS = {
    Question.TOO_LARGE: Problem(413, "body_too_large", "The body is over the limit of this address; send it in parts."),
    Question.TOO_SLOW: Problem(408, "too_slow", "The body came too slowly, or stopped coming."),
    Question.TOO_MANY: Problem(
        503,
        "too_many_uploads",
        "Other large bodies are still coming in; try again when they are there.",
        headers={"Retry-After": str(RETRY_AFTER)},
    ),
}


@dataclass(frozen=True)
class Admitted:
    """The sender may send `max_bytes` bytes. `owner` is the tenant or user whose uploads are counted. `in_memory`: the
    whole body is read into memory, as a JSON document is."""

    max_bytes: int
    owner: Hashable
    in_memory: bool = False

    @property
    def is_upload(self) -> bool:
        return self.max_bytes > MAX_BODY and not self.in_memory


class Admission:
    """Middleware: answers the handler's questions; other requests pass through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> HttpResponse | None:
        # the request of a WSGI server has no scope
        question = getattr(request, "scope", {}).get(QUESTION)
        if question is None:
            return None
        if question is not Question.MAY_SEND:
            return _refuse(REFUSALS[question], request)
        if not request.path.startswith(PREFIX):
            return _authorize_page_visitor(request)
        # of the views under the prefix, only notifier.urls.not_found is a function
        if not hasattr(view, "cls"):
            return problem_response(problem_of(Http404()), request)
        return _authorize_caller(request, view)


def _refuse(problem: Problem, request: HttpRequest) -> HttpResponse:
    if request.path.startswith(PREFIX):
        return problem_response(problem, request)
    return HttpResponse(problem.detail, status=problem.status, content_type="text/plain", headers=dict(problem.headers))


def _authorize_page_visitor(request: HttpRequest) -> HttpResponse:
    if not (request.user.is_active and request.user.is_staff):
        return redirect_to_login(request.get_full_path())
    file_bytes = settings.IMPORT_MAX_BYTES if request.content_type == "multipart/form-data" else 0
    return _admitted(FORM_BYTES + file_bytes, request.user.pk)


def _authorize_caller(request: HttpRequest, view: Any) -> HttpResponse:
    api_view: APIView = view.cls(**view.initkwargs)
    api_view.request = api_view.initialize_request(request)
    try:
        with transaction.atomic():
            api_view.perform_authentication(api_view.request)
            api_view.check_permissions(api_view.request)
    except (APIException, NotifierError) as error:
        if isinstance(error, NotAuthenticated | AuthenticationFailed):
            error.auth_header = api_view.get_authenticate_header(api_view.request)  # type: ignore[union-attr]
        return problem_response(problem_of(error), request)
    owner = getattr(api_view.request.auth or api_view.request.user, "tenant_id", None)
    if is_streamed(request, view):
        return _admitted(settings.IMPORT_MAX_BYTES, owner)
    return _admitted(max_body_of(view), owner, in_memory=True)


def _admitted(max_bytes: int, owner: Hashable, *, in_memory: bool = False) -> HttpResponse:
    response = HttpResponse(status=204)
    response.admitted = Admitted(max_bytes, owner, in_memory)  # type: ignore[attr-defined]
    return response
