"""The frames of a socket: what a client sends, how much one frame carries, and the codes with which a socket closes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import orjson

from inbox.live import limits
from inbox.live.requests import is_seq

MALFORMED, BAD_TOKEN, READ_ONLY, NO_HELLO, EXPIRED, TOO_MANY = 4400, 4401, 4403, 4408, 4410, 4429
TOO_BIG, SERVER_ERROR, TRY_LATER = 1009, 1011, 1013


class Disconnected(Exception):
    """The connection is closed."""


class Rejected(Exception):
    """Close the socket with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def parsed(text: str | None) -> dict[str, Any]:
    """The JSON object of a text frame. Raises Rejected."""
    if text is None:
        raise Rejected(MALFORMED, "text frames only")
    if len(text.encode()) > limits.FRAME_LIMIT:
        raise Rejected(TOO_BIG, "too big")
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Rejected(MALFORMED, "not JSON") from None
    if not isinstance(frame, dict):
        raise Rejected(MALFORMED, "not an object")
    return frame


def hello_values(hello: Mapping[str, Any], offered_token: str) -> tuple[str, int | None, int | None]:
    """Token, `after_seq` and `after_revision` of a hello. Raises Rejected."""
    token = hello.get("token", offered_token)
    if not isinstance(token, str) or not token:
        raise Rejected(BAD_TOKEN, "no token")
    return token, _number(hello, "after_seq"), _number(hello, "after_revision")


def _number(hello: Mapping[str, Any], name: str) -> int | None:
    value = hello.get(name)
    if value is not None and not is_seq(value):
        raise Rejected(MALFORMED, f"{name} is a number from 0")
    return cast("int | None", value)


def parts_of(messages: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The messages in frames that clients take: many refuse a frame over 1 MiB. 0.2 µs a message."""
    begin = characters = 0
    for n, message in enumerate(messages):
        # short values and the frame's own text are within the margin of four bytes a character
        size = len(message["title"]) + len(message["body"]) + len(str(message["data"] or ""))
        if n > begin and characters + size > limits.FRAME_CHARACTERS:
            yield messages[begin:n]
            begin, characters = n, 0
        characters += size
    yield messages[begin:]
