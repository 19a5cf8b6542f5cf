"""What endpoints get, for the OpenAPI document (its part `webhooks`)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse, OpenApiWebhook, extend_schema
from rest_framework import serializers

from notifier.vocabulary.status import Status
from notifier.vocabulary.webhooks import MAX_BATCH, SCHEMA_VERSION, EventType


class DeliveryEventData(serializers.Serializer[Any]):
    """Of delivery.*: the message as it is after the event."""

    delivery = serializers.UUIDField()
    notification = serializers.UUIDField(allow_null=True)
    campaign = serializers.UUIDField(allow_null=True)
    recipient = serializers.CharField(allow_null=True, help_text="Your own id of the recipient.")
    channel = serializers.CharField()
    status = serializers.ChoiceField([status.label for status in Status])
    reason = serializers.CharField(allow_null=True)
    category = serializers.CharField(allow_null=True)
    template = serializers.CharField(allow_null=True)
    group_key = serializers.CharField(allow_null=True)
    mode = serializers.ChoiceField(["live", "test"])
    accepted_at = serializers.DateTimeField()


class WebhookEvent(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="The same in every replay: a receiver that keeps ids does nothing twice.")
    type = serializers.ChoiceField([str(name) for name in EventType])
    timestamp = serializers.DateTimeField(help_text="When it happened.")
    sequence = serializers.IntegerField(help_text="Of two events of one message, the later one has the larger number.")
    data = DeliveryEventData(  # type: ignore[assignment]
        help_text="Of delivery.*; other types have other members (docs/webhooks.md)."
    )


class WebhookBatchData(serializers.Serializer[Any]):
    version = serializers.IntegerField(help_text=f"Of the schema: {SCHEMA_VERSION}.")
    events = WebhookEvent(many=True, help_text=f"1 to {MAX_BATCH}, in their order.")


class WebhookBatch(serializers.Serializer[Any]):
    """The body of every request; the headers webhook-id, webhook-timestamp and webhook-signature are those of Standard
    Webhooks."""

    type = serializers.ChoiceField(["events.batch"])
    timestamp = serializers.DateTimeField(help_text="When the first event happened.")
    data = WebhookBatchData()  # type: ignore[assignment]


EVENTS = OpenApiWebhook(
    name="events",
    decorator=extend_schema(
        summary="Events of messages, campaigns, consent and imports",
        request=WebhookBatch,
        responses={"2XX": OpenApiResponse(description="The events are stored. Any other answer: they come again.")},
        tags=["webhooks"],
    ),
)
