"""What requests to an inbox may hold, over HTTP and on the socket, and what answers hold."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from inbox.models import State
from inbox.store import feed, search
from inbox.store.changes import ACTS
from notifier.api.framework.fields import MAX_KEY, Text, Time
from notifier.values.trim import trimmed

LARGEST_SEQ = 2**63 - 1


def _seq(**kwargs: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=LARGEST_SEQ, **kwargs)


# -- requests ----------------------------------------------------------------------------------------------------------


class TokenInput(serializers.Serializer[Any]):
    recipient = Text(trimmed, max_length=MAX_KEY, help_text="The recipient's external_id.")
    ttl_seconds = serializers.IntegerField(required=False, min_value=1, max_value=3600)


class ListQuery(serializers.Serializer[Any]):
    state = serializers.ChoiceField(list(feed.LISTS), default="all")
    category = Text(max_length=64, required=False)
    q = Text(max_length=search.MAX_QUERY, required=False, allow_blank=True)
    before_seq = _seq(required=False)
    after_seq = _seq(required=False)
    limit = serializers.IntegerField(default=30, min_value=1, max_value=feed.PAGE)
    unread = serializers.BooleanField(default=False)

    def validate_q(self, q: str) -> str:
        if len(search.words_of(q)) > search.MAX_WORDS:
            raise serializers.ValidationError(f"At most {search.MAX_WORDS} words.")
        return q

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.pop("unread"):
            if attrs["state"] not in ("all", "unread"):
                raise serializers.ValidationError({"unread": "Not together with another state."})
            attrs["state"] = "unread"
        filters = {"before_seq", "category", "q"} & attrs.keys()
        if "after_seq" in attrs and (filters or attrs["state"] != "all"):
            raise serializers.ValidationError({"after_seq": "Not together with before_seq or a filter."})
        return attrs


class ReadInput(serializers.Serializer[Any]):
    up_to_seq = _seq(help_text="Of the newest message that the person had before them.")
    category = Text(max_length=64, required=False, help_text="Only messages of this category.")


class SeenInput(serializers.Serializer[Any]):
    up_to_seq = _seq(help_text="Of the newest message that the person had before them.")


class SnoozeInput(serializers.Serializer[Any]):
    until = Time(help_text="In the future, a year ahead at most.")


class ChangeFrame(serializers.Serializer[Any]):
    """The frame `change` of the socket."""

    id = serializers.UUIDField()
    do = serializers.ChoiceField(list(ACTS))
    until = Time(required=False)


# -- answers -----------------------------------------------------------------------------------------------------------


class TokenOutput(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()


class CountOutput(serializers.Serializer[Any]):
    unread = serializers.IntegerField()
    unseen = serializers.IntegerField()


class CountersOutput(serializers.Serializer[Any]):
    last_seq = serializers.IntegerField(help_text="The number of the newest message.")
    revision = serializers.IntegerField(help_text="Grows with each change that the person makes.")
    seen_seq = serializers.IntegerField(help_text="The person has seen all messages up to this number.")
    unread = serializers.IntegerField(help_text="In the inbox; archived and snoozed messages do not count.")
    unseen = serializers.IntegerField(help_text="Of the unread ones, those above seen_seq: the badge.")
    categories = serializers.DictField(child=CountOutput(), help_text="By category; those without unread are left out.")


class MessageOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    seq = serializers.IntegerField(
        help_text="1, 2, 3 … in this inbox. A message that comes back from being snoozed gets the next number."
    )
    revision = serializers.IntegerField(help_text="Of the last change of this message; 0 without one.")
    state = serializers.ChoiceField([state.name.lower() for state in State])
    category = serializers.CharField()
    title = serializers.CharField()
    body = serializers.CharField()
    link = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)
    snoozed_until = serializers.DateTimeField(allow_null=True)


class MessagesOutput(CountersOutput):
    messages = MessageOutput(many=True)
    more = serializers.BooleanField(help_text="There are further messages in this direction.")
    next_seq = serializers.IntegerField(
        allow_null=True, help_text="The before_seq or after_seq of the next page; null on the last page."
    )


class ChangedOutput(CountersOutput):
    changes = MessageOutput(many=True, help_text="The message as it is now; empty if it was so already.")
