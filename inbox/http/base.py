"""What the views share that the widget calls: the recipient token as the only credential, and any origin."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from inbox import tokens
from notifier.errors import Forged, ReadOnly

TAGS = ["inbox"]


class InboxTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <recipient token>`. `request.user` is the Visitor. Sets the transaction's scope."""

    def authenticate(self, request: Request) -> tuple[tokens.Visitor, None]:
        kind, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Forged("A recipient token is required: Authorization: Bearer <token>.", code="token_missing")
        return tokens.verify(token.strip()), None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="inbox"'


class InboxTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = InboxTokenAuthentication
    name = "recipientToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT from POST /v1/inbox/tokens"}


class MayWrite(BasePermission):
    """A read-only token may only GET; every view of the inbox refuses its other methods."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, tokens.Visitor):
            return False
        if not request.user.may_write and request.method not in SAFE_METHODS:
            raise ReadOnly("This token is read-only; changes need the recipient's own token.")
        return True


class InboxView(APIView):
    """The base class of the views that the widget calls. Pages of any origin may call them: the token is the only
    credential, and cookies are ignored."""

    authentication_classes = [InboxTokenAuthentication]
    permission_classes = [MayWrite]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # a browser's preflight request carries no token
        is_preflight = request.method == "OPTIONS"
        response = HttpResponse(status=204) if is_preflight else super().dispatch(request, *args, **kwargs)
        response["Access-Control-Allow-Origin"] = "*"
        response["Cache-Control"] = "no-store"
        if is_preflight:
            response["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE"
            response["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response["Access-Control-Max-Age"] = "86400"
        return response

    def visitor(self) -> tokens.Visitor:
        visitor: tokens.Visitor = self.request.user  # type: ignore[assignment]
        return visitor
