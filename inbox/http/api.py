"""`/v1/inbox/…`: a tenant's server makes a recipient token with its API key; the widget calls all else with that
token."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inbox import tokens
from inbox.http.base import TAGS, InboxView
from inbox.store import feed
from inbox.store.counters import Counters
from notifier.api.framework import schema
from notifier.api.framework.authentication import ApiCaller
from notifier.api.framework.fields import MAX_KEY, Text
from notifier.api.framework.paths import path
from notifier.api.framework.views import read
from notifier.values.trim import trimmed
from tenants.access import get_owned
from tenants.models import Recipient, Tenant

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


# -- views -----------------------------------------------------------------------------------------------------------


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


def _response_of(counters: Counters) -> Response:
    return Response(counters.as_json())


urlpatterns = [
    path("v1/inbox/tokens", TokensView.as_view()),
    path("v1/inbox/messages", MessagesView.as_view()),
    path("v1/inbox/messages/<id:message_id>/read", MessageReadView.as_view()),
    path("v1/inbox/unread", UnreadView.as_view()),
    path("v1/inbox/read", MessagesReadView.as_view()),
]
