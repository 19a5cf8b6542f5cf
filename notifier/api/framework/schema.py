"""Describes endpoints in the OpenAPI document: authentication, problem documents, pages of lists.

Every view of the API decorates its methods with one of the functions at the end of this file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers

from notifier.api.framework.errors import MEDIA_TYPE, TITLES
from notifier.api.framework.pagination import DEFAULT_LIMIT, MAX_LIMIT

#: a method of a view
V = TypeVar("V", bound=Callable[..., Any])


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "notifier.api.framework.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "nk_live_… or nk_test_…"}


class FieldProblemOutput(serializers.Serializer[Any]):
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemOutput(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable and made for programs, `detail` for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    field = serializers.CharField(allow_null=True, help_text="The offending field, such as items.3.recipient.")
    errors = FieldProblemOutput(  # type: ignore[assignment]
        many=True, required=False, help_text="All offending fields, when there are several."
    )
    instance = serializers.CharField(required=False)
    request_id = serializers.CharField(required=False)


def problems(*statuses: int) -> dict[Any, Any]:
    """The problem answers of an endpoint: the given statuses, and 401, 403, 429 and 503, which every endpoint may
    give."""
    everywhere = {401, 403, 429, 503}
    return {
        (status, MEDIA_TYPE): OpenApiResponse(ProblemOutput, description=TITLES[status])
        for status in sorted(everywhere | set(statuses))
    }


PAGING = [
    OpenApiParameter("limit", int, description=f"1 to {MAX_LIMIT}; {DEFAULT_LIMIT} without it."),
    OpenApiParameter("cursor", str, description="`next_cursor` of the page before."),
]
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Up to 255 printable ASCII characters of your choice. A repeated request with the same key and body "
    "is answered as the first was (`Idempotent-Replayed: true`) and does nothing.",
)


def page_of(output: type[serializers.BaseSerializer[Any]]) -> Any:
    """The serializer of one page of a list by cursor."""
    return inline_serializer(
        f"{output.__name__}Page",
        {
            "data": output(many=True),
            "has_more": serializers.BooleanField(),
            "next_cursor": serializers.CharField(allow_null=True),
        },
    )


RATES = [
    OpenApiParameter(
        "RateLimit-Policy",
        str,
        OpenApiParameter.HEADER,
        response=True,
        description='The limits of the caller: `"requests";q=10000;w=10` is 10,000 in 10 seconds.',
    ),
    OpenApiParameter(
        "RateLimit",
        str,
        OpenApiParameter.HEADER,
        response=True,
        description='What is left of them: `"requests";r=9990;t=1` is 9,990, and all of them again in a second.',
    ),
    OpenApiParameter(
        "Retry-After",
        int,
        OpenApiParameter.HEADER,
        response=[429, 503],
        description="Seconds after which to send the request again.",
    ),
]


def describe(
    summary: str, *, takes: Any = None, gives: Any = None, status: int = 200, fails: tuple[int, ...] = (), **more: Any
) -> Callable[[V], V]:
    """extend_schema with the problem answers added. `also`: another status with the same answer."""
    responses = dict.fromkeys((status, more.pop("also", status)), gives)
    more["parameters"] = [*RATES, *more.get("parameters", [])]
    decorate: Callable[[V], V] = extend_schema(
        summary=summary, request=takes, responses={**responses, **problems(*fails)}, **more
    )
    return decorate


def get_list(summary: str, output: type[serializers.BaseSerializer[Any]], *fails: int, **more: Any) -> Callable[[V], V]:
    """Describe a GET that answers a page."""
    parameters = [*PAGING, *more.pop("parameters", [])]
    # without it, a list and one of its rows would get the same operation id
    more.setdefault("operation_id", output.__name__.removesuffix("Output").lower() + "_list")
    return describe(summary, gives=page_of(output), fails=(400, *fails), parameters=parameters, **more)


def post(summary: str, takes: Any, gives: Any, *fails: int, status: int = 201, **more: Any) -> Callable[[V], V]:
    """Describe a POST; all of them take an Idempotency-Key."""
    parameters = [IDEMPOTENCY, *more.pop("parameters", [])]
    fails = (400, 409, 413, 415, 422, *fails)
    return describe(summary, takes=takes, gives=gives, status=status, fails=fails, parameters=parameters, **more)


def put(summary: str, takes: Any, gives: Any, *fails: int, **more: Any) -> Callable[[V], V]:
    """Describe a PUT, which takes no Idempotency-Key: repeating a PUT is safe without one."""
    return describe(summary, takes=takes, gives=gives, fails=(400, 409, 413, 415, *fails), **more)
