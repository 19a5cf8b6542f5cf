"""The shapes of /v1/webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from notifier.api.framework.fields import Boolean, Object, Text, Time
from notifier.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from notifier.vocabulary.webhooks import EventType
from notifier.webhooks import endpoints
from notifier.webhooks.signing import message_id

STATES = dict(zip(WebhookMessage.State, ("waiting", "done", "given_up"), strict=True))


class EventTypes(serializers.ListField):
    """Filters of an endpoint."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=64), max_length=endpoints.MAX_FILTERS, **kwargs)


class WebhookInput(serializers.Serializer[Any]):
    url = Text(max_length=500, help_text="Begins with https:// and names a public server, on port 443.")
    description = Text(max_length=endpoints.MAX_DESCRIPTION, required=False, allow_blank=True)
    enabled = Boolean(required=False)
    event_types = EventTypes(
        required=False, help_text="Names of events, or the beginning of names: delivery.*. Without any, every event."
    )
    headers = Object(
        8_192, required=False, help_text="Up to 10 headers of your own, such as Authorization. Stored encrypted."
    )


class WebhookPatch(WebhookInput):
    """What is left out stays as it is."""

    url = Text(max_length=500, required=False)


class WebhookOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.CharField()
    description = serializers.CharField()
    enabled = serializers.BooleanField()
    event_types = serializers.ListField(child=serializers.CharField())
    header_names = serializers.ListField(child=serializers.CharField(), help_text="Their values are never shown.")
    disabled_because = serializers.CharField(allow_null=True, help_text="Why Notifier disabled it; null: it did not.")
    failures = serializers.IntegerField(help_text="Failed attempts since the last success.")
    failing_since = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_null=True)
    succeeded_at = serializers.DateTimeField(allow_null=True, help_text="The last success.")
    earlier_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then requests have two signatures, one of them by the secret before."
    )
    created_at = serializers.DateTimeField()


class WebhookSecretOutput(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Begins with whsec_; give it to your library as it is.")
    earlier_secret_until = serializers.DateTimeField(allow_null=True)


class WebhookRequestOutput(serializers.Serializer[Any]):
    """One request: a batch of events, sent until it succeeds."""

    id = serializers.UUIDField()
    webhook_id = serializers.CharField(help_text="The header webhook-id of every attempt.")
    state = serializers.ChoiceField(list(STATES.values()))
    events = serializers.IntegerField(help_text="How many.")
    event_types = serializers.ListField(child=serializers.CharField())
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField(allow_null=True, help_text="The next attempt.")
    created_at = serializers.DateTimeField(help_text="When its first event happened.")
    ended_at = serializers.DateTimeField(allow_null=True)


class WebhookAttemptOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    request = serializers.UUIDField()
    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True, help_text="HTTP status; null: there was no answer.")
    error = serializers.CharField(allow_null=True)
    latency_ms = serializers.IntegerField()
    answer = serializers.CharField(help_text="The first 1,024 characters of the answer's body.")


class WebhookRequestWithEventsOutput(WebhookRequestOutput):
    payload = serializers.JSONField(
        allow_null=True, help_text="The body of the request; null once the events are deleted, after 30 days."
    )


class ReplayInput(serializers.Serializer[Any]):
    """Either `event`, or `since` with what else narrows it."""

    event = Text(max_length=64, required=False, help_text="The id of one event.")
    since = Time(required=False)
    until = Time(required=False, help_text="Without it, now.")
    event_types = EventTypes(required=False, help_text="Only these; without it, those of the endpoint.")


class ReplayOutput(serializers.Serializer[Any]):
    requests = serializers.IntegerField(help_text="How many requests leave.")


class EventTypesOutput(serializers.Serializer[Any]):
    data = serializers.ListField(  # type: ignore[assignment]
        child=serializers.ChoiceField([str(name) for name in EventType])
    )


def endpoints_json(listed: Sequence[WebhookEndpoint]) -> list[Any]:
    return [endpoint_json(endpoint) for endpoint in listed]


def endpoint_json(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.pk,
        "url": endpoint.url,
        "description": endpoint.description,
        "enabled": endpoint.enabled,
        "event_types": endpoint.event_types,
        "header_names": _header_names(endpoint),
        "disabled_because": endpoint.disabled_because or None,
        "failures": endpoint.failures,
        "failing_since": endpoint.failing_since,
        "last_error": endpoint.last_error or None,
        "succeeded_at": endpoint.succeeded_at,
        "earlier_secret_until": _still(endpoint.earlier_until),
        "created_at": endpoint.created_at,
    }


def _header_names(endpoint: WebhookEndpoint) -> list[str]:
    try:
        return sorted(endpoints.headers_of(endpoint))
    except ValueError:
        # the encryption key is gone: the endpoint must stay readable, so that it can be mended
        return ["cannot be decrypted"]


def secret_json(endpoint: WebhookEndpoint, secret: str) -> dict[str, Any]:
    return {"secret": secret, "earlier_secret_until": _still(endpoint.earlier_until)}


def _still(until: datetime | None) -> datetime | None:
    return until if until is not None and until > datetime.now(UTC) else None


def requests_json(listed: Sequence[WebhookMessage]) -> list[Any]:
    return [request_json(message) for message in listed]


def request_json(message: WebhookMessage) -> dict[str, Any]:
    waits = message.state == WebhookMessage.State.WAITING
    return {
        "id": message.pk,
        "webhook_id": message_id(message.pk),
        "state": STATES[WebhookMessage.State(message.state)],
        "events": message.events,
        "event_types": message.event_types,
        "attempts": message.attempts,
        "due_at": message.due_at if waits else None,
        "created_at": message.created_at,
        "ended_at": message.ended_at,
    }


def attempts_json(listed: Sequence[WebhookAttempt]) -> list[Any]:
    return [
        {
            "id": attempt.pk,
            "request": attempt.message_id,
            "at": attempt.at,
            "status": attempt.status,
            "error": attempt.error or None,
            "latency_ms": attempt.latency_ms,
            "answer": attempt.answer,
        }
        for attempt in listed
    ]
