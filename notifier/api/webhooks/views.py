"""/v1/webhooks: endpoints, what was sent to them, and replays."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import orjson
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.pagination import page
from notifier.api.framework.views import TenantView
from notifier.api.webhooks import shapes
from notifier.errors import Conflict, InvalidInput
from notifier.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from notifier.vocabulary.status import Mode
from notifier.vocabulary.webhooks import EventType
from notifier.webhooks import bodies, endpoints, replay
from notifier.webhooks.replay import Span
from tenants.access import get_owned

TAGS = ["webhooks"]


class WebhookKeyView(TenantView):
    """The base of these addresses. Endpoints get live events, so a test key only lists and reads."""

    scope = "webhooks"

    def must_be_live(self) -> None:
        """Raises Conflict for a test key. Call it after the object is found, before the body is read."""
        if self.caller.mode == Mode.TEST:
            raise Conflict("A test key reads no secret of a webhook, and changes none.", code="live_webhook")


class WebhooksView(WebhookKeyView):
    @schema.get_list("List webhook endpoints", shapes.WebhookOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """The newest first, with the health of each."""
        listed = WebhookEndpoint.objects.filter(tenant_id=self.tenant_id)
        return Response(page(request, listed, shapes.endpoints_json))

    @schema.post("Create a webhook endpoint", shapes.WebhookInput, shapes.WebhookOutput, tags=TAGS)
    def post(self, request: Request) -> Response:
        """It gets the events that happen from now on: some processes learn of it a second later. Its secret:
        `GET /v1/webhooks/<id>/secret`. A tenant has at most 10 endpoints."""
        self.must_be_live()
        endpoint = endpoints.create(self.tenant, self.read(shapes.WebhookInput), self.actor)
        return Response(shapes.endpoint_json(endpoint), status=201)


class EventTypesView(TenantView):
    scope = "webhooks"

    @schema.describe("List the types of events", gives=shapes.EventTypesOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """Every name that `event_types` may have."""
        return Response({"data": [str(name) for name in EventType]})


class OneWebhookView(WebhookKeyView):
    """The base of the addresses below one endpoint."""

    def endpoint(self, webhook_id: uuid.UUID) -> WebhookEndpoint:
        return get_owned(WebhookEndpoint.objects.all(), self.tenant, pk=webhook_id)

    def live_endpoint(self, webhook_id: uuid.UUID) -> WebhookEndpoint:
        """For what a test key may not do."""
        endpoint = self.endpoint(webhook_id)
        self.must_be_live()
        return endpoint

    def message(self, webhook_id: uuid.UUID, request_id: uuid.UUID) -> WebhookMessage:
        endpoint = self.endpoint(webhook_id)
        return get_owned(WebhookMessage.objects.filter(endpoint_id=endpoint.pk), self.tenant, pk=request_id)


class WebhookView(OneWebhookView):
    @schema.describe("Read a webhook endpoint", gives=shapes.WebhookOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """With its health: how often it failed, and why."""
        return Response(shapes.endpoint_json(self.endpoint(webhook_id)))

    @schema.describe(
        "Change a webhook endpoint",
        takes=shapes.WebhookPatch,
        gives=shapes.WebhookOutput,
        fails=(400, 404, 409, 413, 415),
        tags=TAGS,
    )
    def patch(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """`headers` replaces all headers. Enabling an endpoint that Notifier disabled begins anew: what waits leaves,
        and a replay sends what happened meanwhile."""
        endpoint = self.live_endpoint(webhook_id)
        endpoints.change(endpoint, self.read(shapes.WebhookPatch), self.actor)
        return Response(shapes.endpoint_json(endpoint))

    @schema.describe("Delete a webhook endpoint", status=204, fails=(404, 409), tags=TAGS)
    def delete(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """What waits for it is not sent."""
        endpoints.delete(self.live_endpoint(webhook_id), self.actor)
        return Response(status=204)


class WebhookSecretView(OneWebhookView):
    @schema.describe("Read the secret of an endpoint", gives=shapes.WebhookSecretOutput, fails=(404, 409), tags=TAGS)
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """The newest one, which your library verifies signatures with. The audit log says who read it."""
        endpoint = self.live_endpoint(webhook_id)
        try:
            secret = endpoints.read_secret(endpoint, self.actor)
        except ValueError:
            raise Conflict("The secret cannot be decrypted: rotate it, or give the encryption key back.") from None
        return Response(shapes.secret_json(endpoint, secret))


class WebhookRotateView(OneWebhookView):
    @schema.post("Make a new secret", None, shapes.WebhookOutput, 404, status=200, tags=TAGS)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """For 24 hours each request has two signatures, by the new secret and by the one before. Rotating twice ends
        the first one at once."""
        endpoint = self.live_endpoint(webhook_id)
        endpoints.rotate(endpoint, self.actor)
        return Response(shapes.endpoint_json(endpoint))


class WebhookTestView(OneWebhookView):
    @schema.post("Send an example", None, shapes.WebhookRequestOutput, 404, status=202, tags=TAGS)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """The event `webhook.example`, whatever the endpoint's filters. The attempts say what the server answered."""
        message = replay.send_example(self.live_endpoint(webhook_id), self.actor)
        return Response(shapes.request_json(message), status=202)


class WebhookRequestsView(OneWebhookView):
    @schema.get_list("List requests to an endpoint", shapes.WebhookRequestOutput, 404, tags=TAGS)
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """The newest first; kept for 30 days."""
        listed = WebhookMessage.objects.filter(endpoint_id=self.endpoint(webhook_id).pk)
        return Response(page(request, listed, shapes.requests_json))


class WebhookRequestView(OneWebhookView):
    @schema.describe("Read a request", gives=shapes.WebhookRequestWithEventsOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request, webhook_id: uuid.UUID, request_id: uuid.UUID) -> Response:
        """With its body."""
        message = self.message(webhook_id, request_id)
        body = bodies.body_of(message, bodies.spooled([message]))
        return Response({**shapes.request_json(message), "payload": orjson.loads(body) if body else None})


class WebhookRequestReplayView(OneWebhookView):
    @schema.post("Send a request again", None, shapes.WebhookRequestOutput, 404, status=202, tags=TAGS)
    def post(self, request: Request, webhook_id: uuid.UUID, request_id: uuid.UUID) -> Response:
        """Under the same `webhook-id`, also when it had succeeded."""
        message = self.message(webhook_id, request_id)
        replay.replay_message(self.live_endpoint(webhook_id), message.pk, self.actor)
        message.refresh_from_db()
        return Response(shapes.request_json(message), status=202)


class WebhookAttemptsView(OneWebhookView):
    @schema.get_list("List attempts", shapes.WebhookAttemptOutput, 404, tags=TAGS)
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """The newest first; kept for 30 days. `?request=` lists those of one request."""
        listed = WebhookAttempt.objects.filter(endpoint_id=self.endpoint(webhook_id).pk)
        if text := request.query_params.get("request"):
            try:
                listed = listed.filter(message_id=uuid.UUID(text))
            except ValueError:
                raise InvalidInput("Must be the id of a request.", field="request") from None
        return Response(page(request, listed, shapes.attempts_json))


class WebhookReplayView(OneWebhookView):
    @schema.post("Replay events", shapes.ReplayInput, shapes.ReplayOutput, 404, status=202, tags=TAGS)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """One event, or those of a time. Requests that the endpoint had leave again under their `webhook-id`; events
        that it never had leave in new requests. An event keeps its id, so a receiver can know it again."""
        endpoint, values = self.live_endpoint(webhook_id), self.read(shapes.ReplayInput)
        if ("event" in values) == ("since" in values):
            raise InvalidInput("Name either `event` or `since`.", field="event")
        if "event" in values:
            return Response({"requests": replay.replay_event(endpoint, values["event"], self.actor)}, status=202)
        types = endpoints.checked_types(values.get("event_types", []))
        span = Span(values["since"], values.get("until") or datetime.now(UTC), types)
        return Response({"requests": replay.replay(endpoint, span, self.actor)}, status=202)
