"""What an imitated provider is: paths it serves, and a pure-looking answer to each request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import orjson

REFUSED_STREAM = 0x7
INTERNAL_ERROR = 0x2


class Incoming(NamedTuple):
    method: str
    path: str  #: without the query
    query: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """What goes back. `reset` ends the stream with that HTTP/2 error code instead, `hangup` cuts the connection."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    reset: int | None = None
    hangup: bool = False


def json_answer(status: int, value: object, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, orjson.dumps(value), headers)


class FakeService(ABC):
    """One imitated service."""

    @abstractmethod
    def serves(self, path: str) -> bool:
        """Whether this service owns the path."""

    @abstractmethod
    def answer(self, incoming: Incoming) -> Answer:
        """What the service would say."""
