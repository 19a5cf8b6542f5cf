"""`/v1/inbox/…`: a tenant's server makes a recipient token with its API key; the widget calls all else with that
token."""

from __future__ import annotations

import uuid
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inbox import tokens
from inbox.http.base import TAGS, InboxView
from inbox.shapes import (
    ChangedOutput,
    CountersOutput,
    ListQuery,
    MessagesOutput,
    ReadInput,
    SeenInput,
    SnoozeInput,
    TokenInput,
    TokenOutput,
)
from inbox.store import changes, feed
from notifier.api.framework import schema
from notifier.api.framework.authentication import ApiCaller
from notifier.api.framework.paths import path
from notifier.api.framework.views import read
from tenants.access import get_owned
from tenants.models import Recipient, Tenant


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
            OpenApiParameter("state", str, enum=list(feed.LISTS), description="`all` is the inbox: unread and read."),
            OpenApiParameter("category", str, description="Only messages of this category."),
            OpenApiParameter("q", str, description="Words that the title or the body contains; up to 200 characters."),
            OpenApiParameter("before_seq", int, description="Older than this; newest first."),
            OpenApiParameter("after_seq", int, description="Newer than this; oldest first; without a filter."),
            OpenApiParameter("limit", int, description="1 to 100; 30 if not given."),
            OpenApiParameter("unread", bool, description="`true` is the same as state=unread."),
        ],
    )
    def get(self, request: Request) -> Response:
        """The messages of this inbox: newest first, or those after a number, oldest first. A search compares 1,000
        messages a request: its page may be empty and still have a next one."""
        query = read(ListQuery, request.query_params.dict())
        return Response(feed.list_json(self.visitor().tenant_id, self.visitor().recipient_id, query))


class UnreadView(InboxView):
    @schema.describe("Count messages", gives=CountersOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """The numbers that the widget shows, in all and by category."""
        return Response(feed.counters(self.visitor().recipient_id).as_json())


class MessageView(InboxView):
    """The base class of what changes one message. Repeating a request is safe and changes nothing."""

    def act(self, message_id: uuid.UUID, name: str, **values: Any) -> Response:
        changed = changes.act(self.visitor().recipient_id, message_id, name, now=timezone.now(), **values)
        return Response({"changes": [], **changed.as_json()})


class MessageReadView(MessageView):
    @schema.describe("Mark one as read", gives=ChangedOutput, fails=(403, 404), tags=TAGS)
    def post(self, request: Request, message_id: uuid.UUID) -> Response:
        """Mark one message as read."""
        return self.act(message_id, "read")


class MessageUnreadView(MessageView):
    @schema.describe("Mark one as unread", gives=ChangedOutput, fails=(403, 404), tags=TAGS)
    def post(self, request: Request, message_id: uuid.UUID) -> Response:
        """Mark one message as unread."""
        return self.act(message_id, "unread")


class MessageArchiveView(MessageView):
    @schema.describe("Archive one", gives=ChangedOutput, fails=(403, 404), tags=TAGS)
    def post(self, request: Request, message_id: uuid.UUID) -> Response:
        """Move one message out of the inbox. It stays as read or unread as it was, and no longer counts."""
        return self.act(message_id, "archive")


class MessageUnarchiveView(MessageView):
    @schema.describe("Bring one back from the archive", gives=ChangedOutput, fails=(403, 404), tags=TAGS)
    def post(self, request: Request, message_id: uuid.UUID) -> Response:
        """Move one archived message back to its place in the inbox."""
        return self.act(message_id, "unarchive")


class MessageSnoozeView(MessageView):
    @schema.describe("Snooze one", takes=SnoozeInput, gives=ChangedOutput, fails=(400, 403, 404), tags=TAGS)
    def post(self, request: Request, message_id: uuid.UUID) -> Response:
        """Hide one message until a time. Then it comes back as unread and unseen, above all others."""
        feed.check_exists(self.visitor().recipient_id, message_id)
        return self.act(message_id, "snooze", until=read(SnoozeInput, request.data)["until"])


class MessageUnsnoozeView(MessageView):
    @schema.describe("End a snooze now", gives=ChangedOutput, fails=(403, 404), tags=TAGS)
    def post(self, request: Request, message_id: uuid.UUID) -> Response:
        """Move one snoozed message back to its place in the inbox."""
        return self.act(message_id, "unsnooze")


class OneMessageView(MessageView):
    @schema.describe("Delete one", gives=ChangedOutput, fails=(403, 404), tags=TAGS)
    def delete(self, request: Request, message_id: uuid.UUID) -> Response:
        """Delete the content of one message for good. Its delivery stays in the tenant's ledger."""
        return self.act(message_id, "delete")


class MessagesReadView(InboxView):
    @schema.describe("Mark all as read", takes=ReadInput, gives=CountersOutput, fails=(400, 403), tags=TAGS)
    def post(self, request: Request) -> Response:
        """Mark every message up to a number as read, of one category or of all: messages that the person has seen, not
        newer ones."""
        values, visitor = read(ReadInput, request.data), self.visitor()
        category = feed.known_category(visitor.tenant_id, values.get("category"))
        changed = changes.read_up_to(visitor.recipient_id, values["up_to_seq"], now=timezone.now(), category=category)
        return Response(changed.counters.as_json())


class MessagesSeenView(InboxView):
    @schema.describe("Mark all as seen", takes=SeenInput, gives=CountersOutput, fails=(400, 403), tags=TAGS)
    def post(self, request: Request) -> Response:
        """The person has seen the messages up to a number. They stay unread, and the badge no longer counts them."""
        values = read(SeenInput, request.data)
        return Response(changes.see_up_to(self.visitor().recipient_id, values["up_to_seq"]).counters.as_json())


urlpatterns = [
    path("v1/inbox/tokens", TokensView.as_view()),
    path("v1/inbox/messages", MessagesView.as_view()),
    path("v1/inbox/messages/<id:message_id>", OneMessageView.as_view()),
    path("v1/inbox/messages/<id:message_id>/read", MessageReadView.as_view()),
    path("v1/inbox/messages/<id:message_id>/unread", MessageUnreadView.as_view()),
    path("v1/inbox/messages/<id:message_id>/archive", MessageArchiveView.as_view()),
    path("v1/inbox/messages/<id:message_id>/unarchive", MessageUnarchiveView.as_view()),
    path("v1/inbox/messages/<id:message_id>/snooze", MessageSnoozeView.as_view()),
    path("v1/inbox/messages/<id:message_id>/unsnooze", MessageUnsnoozeView.as_view()),
    path("v1/inbox/unread", UnreadView.as_view()),
    path("v1/inbox/read", MessagesReadView.as_view()),
    path("v1/inbox/seen", MessagesSeenView.as_view()),
]
