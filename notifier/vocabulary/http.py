"""HTTP requests and answers, and the client that messages are sent with. `notifier.transport` implements it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Header names are lower case. `timeout` in seconds covers the whole exchange."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Header names are lower case; `body` is capped by the transport at 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class TransportError:
    """No response. `begun` False: certainly nothing of the request was processed; True: in doubt. `disconnected`: the
    connection ended under several requests, which says nothing of each of them."""

    begun: bool
    detail: str
    disconnected: bool = False


#: the place of a request among those sent together, and what came of it; a volley tells a plain 200 as the int 200
Answered = tuple[int, int | Response | TransportError]


@dataclass(frozen=True)
class TokenRequest:
    """An access token that a provider needs before it can send. `cache_key`: whose it is (Provider.token_key)."""

    cache_key: str
    request: Request


@dataclass(frozen=True)
class RequestTemplate:
    """What the requests of one volley share. Header names are lower case. `timeout` as in Request."""

    method: str
    origin: str  #: https://host or https://host:port
    path: str  #: for a volley that names no paths
    headers: tuple[tuple[str, str], ...]
    timeout: float = 10.0


class RequestBatch(Protocol):
    """Requests on their way that share a RequestTemplate. One thread uses it and the others of its mailbox."""

    @property
    def left(self) -> int:
        """How many have not been answered, as far as `take` has told."""
        ...

    def take(self, patience: float) -> list[Answered]:
        """What has been answered since the last call. Waits `patience` seconds at most: until all is answered, or for
        50 ms after the first answer. Empty when nothing came in time, and when all is told."""
        ...

    def withdraw(self) -> None:
        """What has not begun will not begin, and is answered TransportError(False, "withdrawn")."""
        ...


class CompletionQueue(Protocol):
    """Where one thread waits for several volleys at once."""

    @property
    def left(self) -> int:
        """How many requests of all its volleys have not been answered, as far as `take` has told."""
        ...

    def send_batch(
        self, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None
    ) -> RequestBatch:
        """As HttpClient.send_batch; its answers come to this queue."""
        ...

    def take(self, patience: float) -> list[tuple[RequestBatch, list[Answered]]]:
        """As RequestBatch.take, for all its batches; wakes when one of them is complete. A batch comes once."""
        ...


class HttpClient(Protocol):
    """What messages are sent with; `notifier.transport` implements it."""

    def exchange(self, requests: Sequence[Request]) -> Iterator[Sequence[tuple[int, Response | TransportError]]]:
        """Send all; yield answers as (index, answer) in the order they come, batched every <= 100 ms."""
        ...

    def send_batch(
        self, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None
    ) -> RequestBatch:
        """Begin to send `bodies` in order, to head.path or to a path each, and return at once. Of a plain 200 only the
        status is kept."""
        ...

    def completion_queue(self) -> CompletionQueue:
        """A new one, for volleys that one thread keeps on their way together."""
        ...

    @property
    def streams(self) -> int:
        """How many requests this process has under way to one far end at most."""
        ...

    def warm(self, origin: str) -> int:
        """Open this process's connections to a far end before they are needed, and keep them for 10 minutes. How many
        are open then; 0 when it cannot be reached. Blocks for 10 seconds at most."""
        ...

    def token(self, wanted: TokenRequest) -> str:
        """The cached access token, fetched when missing or near its end. Raises TokenRefused."""
        ...

    def forget_token(self, cache_key: str) -> None:
        """Drop a token that the provider refused, so that the next call fetches a new one."""
        ...


class TokenRefused(Exception):
    """No access token could be had. `temporary` False: the credentials are wrong."""

    def __init__(self, detail: str, *, temporary: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.temporary = temporary
