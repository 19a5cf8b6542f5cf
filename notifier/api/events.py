"""POST /v1/events: what a tenant's app saw of messages: that a push arrived, was opened, or led to a click."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.authentication import ApiCaller
from notifier.api.framework.errors import Problem, problem_of
from notifier.api.framework.fields import Text, Time
from notifier.api.framework.schema import ProblemOutput
from notifier.api.framework.views import TenantView, read
from notifier.delivery.engagement import hits
from notifier.delivery.engagement.hits import Hit
from notifier.errors import InvalidInput, NotFound, NotifierError
from notifier.models import Delivery
from notifier.vocabulary.receipts import EventKind

MAX_EVENTS = 1000
KINDS = (EventKind.OPENED, EventKind.CLICKED, EventKind.DELIVERED)
#: a phone's clock may be so far ahead of ours
_AHEAD = timedelta(minutes=5)
_EVENT = {"delivery": "01936f2a-7c3d-7e1f-8a2b-1234567890ab", "kind": "opened", "at": "2030-01-31T09:00:00Z"}
EXAMPLES = [OpenApiExample("A push was opened", {"events": [_EVENT]}, request_only=True)]


class EventInput(serializers.Serializer[Any]):
    delivery = serializers.UUIDField(help_text="The id of the delivery; a push carries it in its data as delivery_id.")
    kind = serializers.ChoiceField([str(kind) for kind in KINDS])
    at = Time(required=False, help_text="When it happened; without it, now.")
    url = Text(max_length=300, required=False, help_text="Of a click: what was opened.")

    def validate_at(self, value: datetime) -> datetime:
        if value > datetime.now(UTC) + _AHEAD:
            raise serializers.ValidationError("The time is in the future.", code="invalid")
        return value


class EventsInput(serializers.Serializer[Any]):
    events = EventInput(many=True, help_text=f"1 to {MAX_EVENTS}.")


class EventItemOutput(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    status = serializers.IntegerField()
    problem = ProblemOutput(required=False)


class EventsOutput(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    items = EventItemOutput(many=True)


#: deliveries, at least one -> the channel of each that the caller may report on
FindChannels = Callable[[Sequence[uuid.UUID]], Mapping[uuid.UUID, str]]


class _Event(NamedTuple):
    delivery: uuid.UUID
    hit: Hit


class EventsView(TenantView):
    scope = "events"

    @schema.post(
        f"Report up to {MAX_EVENTS:,} events of an app",
        EventsInput,
        EventsOutput,
        status=202,
        also=207,
        tags=["notifications"],
        examples=EXAMPLES,
    )
    def post(self, request: Request) -> Response:
        """Each event is accepted or refused by itself. 202: all were accepted; 207: see the `status` of each item. The
        message's status follows within seconds, and only moves forward: `delivered`, `opened`, `clicked`."""
        return record(self.tenant_id, request.data, partial(_channels, self.caller))


def record(tenant_id: uuid.UUID, raw: Any, find_channels: FindChannels) -> Response:
    """Store the events of a body, and answer it. Raises InvalidInput for a body that is no list of events."""
    attempts = [_attempt(item) for item in _items(raw)]
    deliveries = [attempt.delivery for attempt in attempts if isinstance(attempt, _Event)]
    channel_of = find_channels(deliveries) if deliveries else {}
    hits_of: defaultdict[str, list[Hit]] = defaultdict(list)
    items: list[dict[str, Any]] = []
    for index, attempt in enumerate(attempts):
        if isinstance(attempt, _Event) and (channel := channel_of.get(attempt.delivery)):
            hits_of[channel].append(attempt.hit)
            items.append({"index": index, "status": 202})
        else:
            problem = attempt if isinstance(attempt, Problem) else _UNKNOWN
            items.append({"index": index, "status": problem.status, "problem": problem.document()})
    hits.insert(hits.rows_of(tenant_id, hits_of))
    accepted = sum(map(len, hits_of.values()))
    body = {"accepted": accepted, "refused": len(items) - accepted, "items": items}
    return Response(body, status=202 if accepted == len(items) else 207)


def within(deliveries: Sequence[uuid.UUID]) -> QuerySet[Delivery]:
    """The rows of these deliveries; at least one. The bounds let PostgreSQL skip the partitions of other months."""
    return Delivery.objects.filter(pk__in=deliveries, pk__gte=min(deliveries), pk__lte=max(deliveries))


_UNKNOWN = problem_of(NotFound("There is no such delivery.", field="delivery"))


def _items(raw: Any) -> Sequence[Any]:
    items = raw.get("events") if isinstance(raw, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_EVENTS:
        raise InvalidInput(f"Must be a list of 1 to {MAX_EVENTS} events.", field="events")
    if unknown := set(raw) - {"events"}:
        raise InvalidInput("Unknown field; known: events.", field=min(unknown)[:100], code="unknown_field")
    return items


def _attempt(item: Any) -> _Event | Problem:
    try:
        values = read(EventInput, item)
    except (NotifierError, APIException) as error:
        return problem_of(error)
    at = values.get("at") or datetime.now(UTC)
    delivery: uuid.UUID = values["delivery"]
    return _Event(delivery, Hit(values["kind"], at.timestamp(), delivery=delivery.hex, url=values.get("url", "")))


def _channels(caller: ApiCaller, deliveries: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, str]:
    """Delivery -> its channel, of those that the tenant has. A test key reports on messages of test keys only."""
    rows = within(deliveries).filter(tenant_id=caller.tenant_id, mode=caller.mode)
    return dict(rows.values_list("pk", "channel"))
