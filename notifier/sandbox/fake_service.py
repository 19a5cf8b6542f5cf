"""The contract of a fake service: the paths that it serves, and its answer to each request."""

from __future__ import annotations

import asyncio
import random
import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import orjson

from notifier.sandbox.faults import ServiceFaults
from notifier.sandbox.state import SandboxState

HANG_SECONDS = 3600.0
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
    """A fake service that takes messages. It counts the outcomes of messages, and obeys the knobs of ServiceFaults."""

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
        answer = self.unavailable() if failing else self._answer_or_fault(incoming, faults)
        if answer.reset is None:
            state.arrivals.count("hangup" if answer.hangup else str(answer.status), self._name)
        else:
            state.arrivals.count("refused" if answer.reset == REFUSED_STREAM else "reset", self._name)
        wait = faults.latency_ms / 1000
        return answer._replace(delay=answer.delay + wait) if wait else answer

    def _answer_or_fault(self, incoming: Incoming, faults: ServiceFaults) -> Answer:
        """The answer to a message, or what a knob lets happen in its place."""
        if not faults.any_rate:
            return self.answer_message(incoming)
        dice = random.random()  # noqa: S311
        if (dice := dice - faults.throttle_rate) < 0:
            return self._with_retry_after(429, "Too many requests")
        if (dice := dice - faults.hang_rate) < 0:
            return Answer(503, delay=HANG_SECONDS)
        if (dice := dice - faults.reset_rate) < 0:
            return Answer(0, reset=INTERNAL_ERROR)
        answer = self.answer_message(incoming)
        taken_and_lost = dice < faults.lost_rate and 200 <= answer.status < 300
        return Answer(0, reset=INTERNAL_ERROR) if taken_and_lost else answer

    def unavailable(self) -> Answer:
        """The service's own 503."""
        return self._with_retry_after(503, "Service unavailable")

    def _with_retry_after(self, status: int, message: str) -> Answer:
        after = self.state.faults.retry_after_text
        headers = () if after is None else (("retry-after", after),)
        return json_answer(status, {"message": message}, headers)

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
