"""Bodies of POST /v1/notifications and /v1/notifications/bulk: reads the requests, makes the answers. Called by the
views and by `notifier.api.direct`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.exceptions import APIException

from notifier.api import shapes
from notifier.api.framework.authentication import ApiCaller
from notifier.api.framework.errors import Problem, problem_of
from notifier.api.framework.views import read
from notifier.delivery import Accepted
from notifier.delivery.content.attachments.listing import read_list
from notifier.delivery.routes.read_route import read_route
from notifier.errors import InvalidInput, NotifierError
from notifier.tracing import spans
from notifier.vocabulary.digests import DigestRequest
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.routes import Route

MAX_ITEMS = 1000


def read_request(raw: Any, caller: ApiCaller) -> SendRequest:
    """The request that one JSON object asks for. Raises InvalidInput or ValidationError, naming the field. The files of
    attachments are read from the database."""
    values = shapes.validated_quickly(raw) or read(shapes.NotificationInput, raw)
    if "channels" in values:
        values["channels"] = tuple(values["channels"])
    if "route" in values:
        values["route"] = _route(values)
    if "attachments" in values:
        listed = read_list(values["attachments"], caller.tenant_id, "attachments")
        values |= {"attachments": tuple(listed.entries), "files": tuple(listed.files)}
    if "digest" in values:
        values["digest"] = DigestRequest(**values["digest"])
    return SendRequest(**values, mode=caller.mode, traceparent=spans.current_header())


def _route(values: Mapping[str, Any]) -> Route:
    route = read_route([] if values["route"] is None else values["route"])
    if route and "channels" in values:
        raise InvalidInput("Not beside route, whose steps name the channels.", field="channels", code="two_ways")
    return route


def read_items(raw: Any) -> list[Any]:
    """The items of a bulk body. Raises InvalidInput."""
    items = raw.get("items") if isinstance(raw, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise InvalidInput(f"Must be a list of 1 to {MAX_ITEMS} notifications.", field="items")
    if unknown := set(raw) - {"items"}:
        raise InvalidInput("Unknown field; known: items.", field=min(unknown)[:100], code="unknown_field")
    return items


def read_item(item: Any, caller: ApiCaller) -> SendRequest | Problem:
    """The request of one item of a bulk body, or why the item is refused."""
    try:
        return read_request(item, caller)
    except (NotifierError, APIException) as error:
        return problem_of(error)


def bulk_answer(outcomes: Sequence[Accepted | NotifierError | Problem]) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to a bulk request: 202 when every item was accepted, else 207."""
    items = [_item_answer(index, outcome) for index, outcome in enumerate(outcomes)]
    accepted = sum(item["status"] == 202 for item in items)
    status = 202 if accepted == len(items) else 207
    return status, {"accepted": accepted, "refused": len(items) - accepted, "items": items}


def _item_answer(index: int, outcome: Accepted | NotifierError | Problem) -> dict[str, Any]:
    if isinstance(outcome, Accepted):
        return {"index": index, "status": 202, **accepted_answer(outcome)}
    problem = problem_of(outcome) if isinstance(outcome, NotifierError) else outcome
    return {"index": index, "status": problem.status, "problem": problem.document()}


def accepted_answer(outcome: Accepted) -> dict[str, Any]:
    """The body of the answer to an accepted request."""
    deliveries = [
        {"id": d.id, "channel": d.channel, "status": d.status.label}
        | ({"step": d.step} if d.step else {})
        | ({"reason": d.reason} if d.reason else {})
        | ({"segments": d.segments} if d.segments else {})
        for d in outcome.deliveries
    ]
    return {"id": outcome.notification_id, "deliveries": deliveries}
