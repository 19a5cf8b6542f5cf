"""The contract of a fake service: the paths that it serves, and its answer to each request."""

from __future__ import annotations

import asyncio
import random
import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import orjson

from notifier.sandbox.state import SandboxState

REFUSED_STREAM = 0x7
INTERNAL_ERROR = 0x2


class Incoming(NamedTuple):
    method: str
    path: str  #: without the query
    query: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """The response. `delay`: seconds before it leaves. `reset` ends the stream with this HTTP/2 error code instead;
    `hangup` cuts the connection instead."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    reset: int | None = None
    hangup: bool = False
    content_type: str = "application/json"


def json_answer(status: int, value: object, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, orjson.dumps(value), headers)


class FakeService(ABC):
    """One fake service. Its name is that of its file."""

    #: whose messages it takes: `POST /_faults` knows it by this name, too
    channel: ClassVar[str] = ""
    #: the path holds an address, so that the server does not remember which service answers it
    many_paths: ClassVar[bool] = False

    @classmethod
    def name(cls) -> str:
        return cls.__module__.rpartition(".")[2]

    def __init__(self, state: SandboxState) -> None:
        self.state = state

    @abstractmethod
    def serves(self, path: str) -> bool:
        """Whether this service owns the path."""

    def respond(self, incoming: Incoming) -> Answer:
        """What the sandbox sends: `answer`, unless a fault of the run says otherwise."""
        return self.answer(incoming)

    @abstractmethod
    def answer(self, incoming: Incoming) -> Answer:
        """The answer that the real service would give."""


class MessageService(FakeService):
    """A fake service that takes messages. It counts the outcomes of messages, and obeys the knobs `latency_ms`,
    `error_rate` and, for every request, `down`."""

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        state.faults.register(self.name(), self.channel)
        self._name = self.name()

    def respond(self, incoming: Incoming) -> Answer:
        if self.state.faults.for_service(self._name).down:
            self.state.arrivals.count("503", self._name)
            return self.unavailable()
        return self.answer(incoming)

    def answer(self, incoming: Incoming) -> Answer:
        state, faults = self.state, self.state.faults.for_service(self._name)
        failing = faults.error_rate and random.random() < faults.error_rate  # noqa: S311
        answer = self.unavailable() if failing else self.answer_message(incoming)
        if answer.reset is None:
            state.arrivals.count("hangup" if answer.hangup else str(answer.status), self._name)
        else:
            state.arrivals.count("refused" if answer.reset == REFUSED_STREAM else "reset", self._name)
        wait = faults.latency_ms / 1000
        return answer._replace(delay=answer.delay + wait) if wait else answer

    def unavailable(self) -> Answer:
        """The service's own 503."""
        after = self.state.faults.retry_after
        headers = () if after is None else (("retry-after", f"{after:g}"),)
        return json_answer(503, {"message": "Service unavailable"}, headers)

    @abstractmethod
    def answer_message(self, incoming: Incoming) -> Answer:
        """The answer to one message. Hands an accepted message to `state.arrivals.take`."""


class FakeServer(ABC):
    """A fake service with a protocol other than HTTP, on the sandbox's port plus `port_offset`."""

    port_offset: ClassVar[int]

    def __init__(self, state: SandboxState, tls: ssl.SSLContext) -> None:
        self.state, self.tls = state, tls

    @abstractmethod
    def protocol(self) -> asyncio.Protocol:
        """The protocol of one new connection."""
