"""What a client asks of an open socket: to list messages and to change them, as it may over HTTP.

A request that is no request at all closes the socket. A request that cannot be done is answered with the frame `error`,
which names the field; a client that gave it a number (`request`) finds that number in the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.utils import timezone
from rest_framework.exceptions import ValidationError

from inbox.shapes import ChangeFrame, ListQuery, ReadInput, SeenInput
from inbox.store import changes, feed
from inbox.tokens import Visitor
from notifier.api.framework.views import read
from notifier.errors import InvalidInput

#: the parts of an answer to `list` besides the counters
LISTED = ("messages", "more", "next_seq")
_MAX_REQUEST = 64


class MalformedRequest(Exception):
    """The frame is not one that a client of this protocol sends."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a client, as it came. Its values are checked when it is answered."""

    kind: str
    values: Mapping[str, Any]
    #: {"request": …} if the client gave one
    echo: Mapping[str, Any]

    @property
    def writes(self) -> bool:
        return self.kind != "list"

    def answer(self, visitor: Visitor) -> dict[str, Any]:
        """The counters, with what was asked for. Runs in the scope of the visitor's tenant. Raises NotifierError."""
        try:
            return REQUESTS[self.kind](visitor, self.values)
        except ValidationError as error:
            field, messages = next(iter(cast("dict[str, list[str]]", error.detail).items()))
            raise InvalidInput(str(messages[0]), field=field) from None


def parsed_request(kind: str, frame: Mapping[str, Any]) -> Request:
    """The request of a frame. Raises MalformedRequest."""
    number = frame.get("request")
    if number is not None and not (is_seq(number) or (isinstance(number, str) and len(number) <= _MAX_REQUEST)):
        raise MalformedRequest("request is a number or a short text")
    if kind in ("read", "seen") and not is_seq(frame.get("up_to_seq")):
        raise MalformedRequest("up_to_seq is a number from 0")
    values = {name: value for name, value in frame.items() if name not in ("type", "request")}
    return Request(kind, values, {} if number is None else {"request": number})


def is_seq(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63  # JSON's true is an int to isinstance


def _list(visitor: Visitor, values: Mapping[str, Any]) -> dict[str, Any]:
    return feed.list_json(visitor.tenant_id, visitor.recipient_id, read(ListQuery, dict(values)))


def _change(visitor: Visitor, values: Mapping[str, Any]) -> dict[str, Any]:
    change = read(ChangeFrame, dict(values))
    if "until" in change and change["do"] != "snooze":
        raise InvalidInput("Only a snooze has a time.", field="until")
    until, now = change.get("until"), timezone.now()
    return changes.act(visitor.recipient_id, change["id"], change["do"], now=now, until=until).as_json()


def _read(visitor: Visitor, values: Mapping[str, Any]) -> dict[str, Any]:
    mark = read(ReadInput, dict(values))
    category = feed.known_category(visitor.tenant_id, mark.get("category"))
    return changes.read_up_to(visitor.recipient_id, mark["up_to_seq"], now=timezone.now(), category=category).as_json()


def _see(visitor: Visitor, values: Mapping[str, Any]) -> dict[str, Any]:
    return changes.see_up_to(visitor.recipient_id, read(SeenInput, dict(values))["up_to_seq"]).as_json()


REQUESTS: Mapping[str, Callable[[Visitor, Mapping[str, Any]], dict[str, Any]]] = {
    "list": _list,
    "change": _change,
    "read": _read,
    "seen": _see,
}
