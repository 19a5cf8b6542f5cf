"""The base of every API view: who calls, body limits, idempotent POSTs, lists and problems."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView, set_rollback

from notifier.api import body, idempotency
from notifier.errors import InvalidInput
from tenants.auth import ApiCaller
from tenants.models import Tenant

MAX_QUERY = 2048


class ApiView(APIView):
    """Limits and checks that need no caller; the base of views with other credentials, such as the inbox's."""

    parser_classes = [body.StrictJSON]
    # OPTIONS would tell about fields; the OpenAPI document does that
    metadata_class = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        _check_address(request, kwargs)
        body.limit(request._request)

    def read(self, shape: type[Serializer[Any]]) -> dict[str, Any]:
        """The body in this shape. Raises ValidationError or InvalidInput naming the field."""
        if not isinstance(self.request.data, dict):
            raise InvalidInput("The body must be a JSON object.")
        unknown = set(self.request.data) - set(shape().fields)
        if unknown:
            name = min(unknown)
            raise InvalidInput(f"Unknown field; known: {', '.join(shape().fields)}.", field=name, code="unknown_field")
        serializer = shape(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


def _check_address(request: Request, kwargs: dict[str, Any]) -> None:
    """PostgreSQL takes no U+0000: in a path it names nothing, in the query it is wrong."""
    if any(isinstance(value, str) and "\0" in value for value in kwargs.values()):
        raise Http404
    for name, values in request.query_params.lists():
        if "\0" in name or any("\0" in v or len(v) > MAX_QUERY for v in values):
            raise InvalidInput("The value holds U+0000 or is too long.", field=name.replace("\0", "\\u0000"))


class TenantView(ApiView):
    """A view for tenants' servers: an API key with the scope that the view names."""

    scope: ClassVar[str]
    _claim: idempotency.Claim | None = None

    @property
    def caller(self) -> ApiCaller:
        caller: ApiCaller = self.request.auth  # type: ignore[assignment]
        return caller

    @property
    def tenant_id(self) -> uuid.UUID:
        return self.caller.tenant_id

    @property
    def tenant(self) -> Tenant:
        return Tenant.objects.get(pk=self.tenant_id)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and hasattr(self, "post"):
            self._claim = idempotency.claim(request, self.tenant_id, type(self).__name__)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, idempotency.Replayed):
            return exc.response
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        if self._claim is not None:
            if response.status_code < 400:
                self._claim.keep(response)
            else:
                # an error stores nothing, its key included
                set_rollback()
        return super().finalize_response(request, response, *args, **kwargs)
