"""A request as it waits for its group, and what its body asks for."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from notifier.api.framework import body
from notifier.api.framework.authentication import ApiCaller
from notifier.api.framework.errors import Problem
from notifier.api.notification_bodies import accepted_answer, bulk_answer, read_item, read_items, read_request
from notifier.delivery import Accepted
from notifier.delivery.infra.giving_way import give_way
from notifier.errors import NotifierError
from notifier.tracing import spans
from notifier.tracing.spans import Opened
from notifier.vocabulary.people import SendRequest
from notifier.web.serving.direct import Answer

Outcome = Accepted | NotifierError | Problem


class Endpoint(enum.Enum):
    """The addresses that are answered here. The value is the view's name, under which idempotency keys are stored."""

    SINGLE = "NotificationsView"
    BULK = "NotificationsBulkView"

    @property
    def path(self) -> str:
        return _PATHS[self]


_PATHS = {Endpoint.SINGLE: "/v1/notifications", Endpoint.BULK: "/v1/notifications/bulk"}
ENDPOINTS = {path.encode(): endpoint for endpoint, path in _PATHS.items()}


@dataclass(frozen=True)
class Request:
    """A POST whose key was known a minute ago at the latest. The body is there once it was read."""

    endpoint: Endpoint
    key_digest: bytes = field(repr=False)
    idempotency_key: str | None
    request_id: str
    body: bytes = field(default=b"", repr=False)
    trace: Opened | None = None  #: the span of the request, if it is recorded

    @cached_property
    def document(self) -> Any:
        """Raises ParseError and InvalidInput."""
        return body.load(self.body)

    def attempts(self, caller: ApiCaller) -> list[SendRequest | Problem]:
        """What the body asks for; an item of a bulk body may be refused by itself. Raises what refuses the whole
        request."""
        if self.trace is not None:
            spans.enter(self.trace)
        try:
            return self._attempts(caller)
        finally:
            if self.trace is not None:
                spans.enter(None)

    def _attempts(self, caller: ApiCaller) -> list[SendRequest | Problem]:
        if self.endpoint is Endpoint.SINGLE:
            return [read_request(self.document, caller)]
        attempts = []
        for item in read_items(self.document):
            give_way()
            attempts.append(read_item(item, caller))
        return attempts

    def answer(self, outcomes: Sequence[Outcome]) -> Answer:
        """Raises the NotifierError that refuses a single request."""
        if self.endpoint is Endpoint.BULK:
            status, content = bulk_answer(outcomes)
            return Answer(status, orjson.dumps(content))
        (outcome,) = outcomes
        if isinstance(outcome, NotifierError):
            raise outcome
        assert isinstance(outcome, Accepted)
        return Answer(202, orjson.dumps(accepted_answer(outcome)))
