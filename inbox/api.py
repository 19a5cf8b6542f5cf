"""`/v1/inbox/…`: a tenant's server makes a recipient token with its API key; the widget calls all else with that
token."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inbox import feed, tokens
from inbox.counters import Counters
from notifier.api.framework import schema
from notifier.api.framework.authentication import ApiCaller
from notifier.api.framework.fields import MAX_KEY, Text
from notifier.api.framework.paths import path
from notifier.api.framework.views import read
from notifier.api.people.preferences import change, shown
from notifier.api.people.shapes import PreferencesInput, PreferencesOutput
from notifier.errors import Forged, ReadOnly
from notifier.values.trim import trimmed
from tenants.access import get_owned
from tenants.models import Preference, Recipient, Tenant

TAGS = ["inbox"]
LARGEST_SEQ = 2**63 - 1


# -- serializers -------------------------------------------------------------------------------------------------------


class TokenInput(serializers.Serializer[Any]):
    recipient = Text(trimmed, max_length=MAX_KEY, help_text="The recipient's external_id.")
    ttl_seconds = serializers.IntegerField(required=False, min_value=1, max_value=3600)


class TokenOutput(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()


class CountersOutput(serializers.Serializer[Any]):
    last_seq = serializers.IntegerField(help_text="The number of the newest message.")
    unread = serializers.IntegerField()


class MessageOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    seq = serializers.IntegerField(help_text="1, 2, 3 … in this inbox, without gaps.")
    category = serializers.CharField()
    title = serializers.CharField()
    body = serializers.CharField()
    link = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class MessagesOutput(CountersOutput):
    messages = MessageOutput(many=True)
    more = serializers.BooleanField(help_text="There are further messages in this direction.")


class MessagesQuery(serializers.Serializer[Any]):
    before_seq = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST_SEQ)
    after_seq = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST_SEQ)
    limit = serializers.IntegerField(default=30, min_value=1, max_value=feed.PAGE)
    unread = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "after_seq" in attrs and ("before_seq" in attrs or attrs["unread"]):
            raise serializers.ValidationError({"after_seq": "Not together with before_seq or unread."})
        return attrs


class ReadInput(serializers.Serializer[Any]):
    up_to_seq = serializers.IntegerField(min_value=0, max_value=LARGEST_SEQ)


# -- authentication and views ------------------------------------------------------------------------------------------


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


class TokensView(APIView):
    """Makes recipient tokens. Not a TenantView, which would store the answer for repeated requests: a token is never
    stored."""

    scope = "inbox"

    @schema.describe(
        "Make a recipient token", takes=TokenInput, gives=TokenOutput, status=201, fails=(400, 404), tags=TAGS
    )
    def post(self, request: Request) -> Response:
        """Make a token with which a browser may read this recipient's inbox, for at most an hour."""
        values = read(TokenInput, request.data)
        caller: ApiCaller = request.auth  # type: ignore[assignment]
        tenant = Tenant(pk=caller.tenant_id)
        recipient = get_owned(Recipient.objects.all(), tenant, external_id=values["recipient"])
        token, ends = tokens.mint(recipient, values.get("ttl_seconds"))
        return Response(TokenOutput({"token": token, "expires_at": ends}).data, status=201)


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


class MessagesView(InboxView):
    @schema.describe(
        "List messages",
        gives=MessagesOutput,
        fails=(400,),
        tags=TAGS,
        parameters=[
            OpenApiParameter("before_seq", int, description="Older than this; newest first."),
            OpenApiParameter("after_seq", int, description="Newer than this; oldest first."),
            OpenApiParameter("limit", int, description="1 to 100; 30 if not given."),
            OpenApiParameter("unread", bool, description="Only unread messages."),
        ],
    )
    def get(self, request: Request) -> Response:
        """The messages of this inbox: newest first, or those after a number, oldest first."""
        query = MessagesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        filters = dict(query.validated_data)
        limit, recipient_id = filters.pop("limit"), self.visitor().recipient_id
        # the counters first: a message that is stored between the two queries is then announced as new
        counters = feed.counters(recipient_id)
        if "after_seq" in filters:
            rows = feed.since(recipient_id, filters["after_seq"], limit=limit + 1)
        else:
            rows = feed.newest(recipient_id, limit=limit + 1, **filters)
        messages = [feed.as_json(m) for m in rows[:limit]]
        return Response({"messages": messages, "more": len(rows) > limit, **counters.as_json()})


class UnreadView(InboxView):
    @schema.describe("Count unread messages", gives=CountersOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """The number that the widget's bell shows."""
        return _response_of(feed.counters(self.visitor().recipient_id))


class MessageReadView(InboxView):
    @schema.describe("Mark one as read", gives=CountersOutput, fails=(403, 404), tags=TAGS)
    def post(self, request: Request, message_id: uuid.UUID) -> Response:
        """Mark one message as read. Repeating it is safe."""
        return _response_of(feed.mark_read(self.visitor().recipient_id, message_id))


class MessagesReadView(InboxView):
    @schema.describe("Mark all as read", takes=ReadInput, gives=CountersOutput, fails=(400, 403), tags=TAGS)
    def post(self, request: Request) -> Response:
        """Mark every message up to a number as read: messages that the person has seen, not newer ones."""
        seq = read(ReadInput, request.data)["up_to_seq"]
        return _response_of(feed.mark_read_up_to(self.visitor().recipient_id, seq))


class PreferencesView(InboxView):
    @schema.describe("Read own preferences", gives=PreferencesOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """The preferences of this recipient. A recipient without stored preferences allows everything."""
        stored = Preference.objects.filter(recipient_id=self.visitor().recipient_id).first()
        return Response(shown(stored or Preference()))

    @schema.describe(
        "Change own preferences", takes=PreferencesInput, gives=PreferencesOutput, fails=(400, 403), tags=TAGS
    )
    def put(self, request: Request) -> Response:
        """Holds from now on, also for messages that were scheduled before."""
        values, visitor = read(PreferencesInput, request.data), self.visitor()
        return Response(shown(change(visitor.tenant_id, visitor.recipient_id, values)))


def _response_of(counters: Counters) -> Response:
    return Response(counters.as_json())


urlpatterns = [
    path("v1/inbox/tokens", TokensView.as_view()),
    path("v1/inbox/messages", MessagesView.as_view()),
    path("v1/inbox/messages/<id:message_id>/read", MessageReadView.as_view()),
    path("v1/inbox/unread", UnreadView.as_view()),
    path("v1/inbox/read", MessagesReadView.as_view()),
    path("v1/inbox/preferences", PreferencesView.as_view()),
]
