"""What the OpenAPI document says beside the views: how to authenticate, what a problem looks like, how lists come."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers

from notifier.api.errors import MEDIA_TYPE, TITLES
from notifier.api.pagination import DEFAULT_LIMIT, MAX_LIMIT


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "tenants.auth.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "nk_live_… or nk_test_…"}


class ProblemField(serializers.Serializer[Any]):
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemShape(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable and made for programs, `detail` for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    field = serializers.CharField(allow_null=True, help_text="The offending field, such as items.3.recipient.")
    errors = ProblemField(  # type: ignore[assignment]
        many=True, required=False, help_text="All offending fields, when there are several."
    )
    instance = serializers.CharField(required=False)
    request_id = serializers.CharField(required=False)


def problems(*statuses: int) -> dict[Any, Any]:
    """The problem answers of an endpoint; 401, 403 and 503 are possible everywhere."""
    everywhere = {401, 403, 503}
    return {
        (status, MEDIA_TYPE): OpenApiResponse(ProblemShape, description=TITLES[status])
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


def page_of(shape: type[serializers.BaseSerializer[Any]]) -> Any:
    """The shape of a list by cursor."""
    return inline_serializer(
        f"{shape.__name__}Page",
        {
            "data": shape(many=True),
            "has_more": serializers.BooleanField(),
            "next_cursor": serializers.CharField(allow_null=True),
        },
    )


def describe(
    summary: str, *, takes: Any = None, gives: Any = None, status: int = 200, fails: tuple[int, ...] = (), **more: Any
) -> Any:
    """extend_schema with our problems, and the Idempotency-Key where there is a POST body."""
    return extend_schema(summary=summary, request=takes, responses={status: gives, **problems(*fails)}, **more)


def get_list(summary: str, shape: type[serializers.BaseSerializer[Any]], *fails: int, **more: Any) -> Any:
    """Describe a GET that answers a page."""
    parameters = [*PAGING, *more.pop("parameters", [])]
    return describe(summary, gives=page_of(shape), fails=(400, *fails), parameters=parameters, **more)


def post(summary: str, takes: Any, gives: Any, *fails: int, status: int = 201, **more: Any) -> Any:
    """Describe a POST; all of them take an Idempotency-Key."""
    parameters = [IDEMPOTENCY, *more.pop("parameters", [])]
    fails = (400, 409, 413, 415, 422, *fails)
    return describe(summary, takes=takes, gives=gives, status=status, fails=fails, parameters=parameters, **more)
