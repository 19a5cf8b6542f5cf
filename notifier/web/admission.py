"""Who may send a large body: asked of the view that it is for, before the body is read.

The handler sends the request through the middlewares once without its body. Here, where the view is known, its own
authentication and permissions answer; the view itself does not run. What is refused gets the answer that it would have
got later, such as 401.
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
from notifier.api.framework.guard import PREFIX, is_streamed
from notifier.errors import NotifierError

#: where the handler puts its question into the ASGI scope
QUESTION = "notifier.question"
#: what a form carries beside its file
FORM = 1024 * 1024


class Question(enum.Enum):
    """What the handler wants to know of a request whose body it has not read."""

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
    """May send so many bytes; `owner` is who the upload counts for."""

    most: int
    owner: Hashable

    @property
    def is_upload(self) -> bool:
        return self.most > MAX_BODY


class Admission:
    """Middleware: answers the handler's questions; other requests pass."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> HttpResponse | None:
        # a WSGI server's request has no scope
        question = getattr(request, "scope", {}).get(QUESTION)
        if question is None:
            return None
        if question is not Question.MAY_SEND:
            return _refused(REFUSALS[question], request)
        if not request.path.startswith(PREFIX):
            return _visitor_of_a_page(request)
        # only the view that says so of an unknown address is a function
        return _caller(request, view) if hasattr(view, "cls") else problem_response(problem_of(Http404()), request)


def _refused(told: Problem, request: HttpRequest) -> HttpResponse:
    if request.path.startswith(PREFIX):
        return problem_response(told, request)
    return HttpResponse(told.detail, status=told.status, content_type="text/plain", headers=dict(told.headers))


def _visitor_of_a_page(request: HttpRequest) -> HttpResponse:
    if not (request.user.is_active and request.user.is_staff):
        return redirect_to_login(request.get_full_path())
    file = settings.IMPORT_MAX_BYTES if request.content_type == "multipart/form-data" else 0
    return _admitted(FORM + file, request.user.pk)


def _caller(request: HttpRequest, view: Any) -> HttpResponse:
    asked: APIView = view.cls(**view.initkwargs)
    asked.request = asked.initialize_request(request)
    try:
        with transaction.atomic():
            asked.perform_authentication(asked.request)
            asked.check_permissions(asked.request)
    except (APIException, NotifierError) as error:
        if isinstance(error, NotAuthenticated | AuthenticationFailed):
            error.auth_header = asked.get_authenticate_header(asked.request)  # type: ignore[union-attr]
        return problem_response(problem_of(error), request)
    owner = getattr(asked.request.auth or asked.request.user, "tenant_id", None)
    return _admitted(settings.IMPORT_MAX_BYTES if is_streamed(request, view) else MAX_BODY, owner)


def _admitted(most: int, owner: Hashable) -> HttpResponse:
    response = HttpResponse(status=204)
    response.admitted = Admitted(most, owner)  # type: ignore[attr-defined]
    return response
