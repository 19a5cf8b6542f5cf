"""HTTP requests, answers, and the client that sends messages. `notifier.transport` implements the client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

#: bytes of an answer's body that are kept: email services answer 500 messages of one request with 250 kB
LARGEST_ANSWER = 512 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Header names are lower case. `timeout` in seconds covers the whole exchange. Requests of
    different pools never share a connection."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timeout: float = 10.0
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """The server's answer. Header names are lower case; `body` is capped by the transport at LARGEST_ANSWER."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class TransportError:
    """No response came. `begun` False: the server certainly processed nothing of the request; True: in doubt.
    `disconnected`: the connection ended under several requests, or took this one no more, which says nothing about any
    single request.
    `unreachable`: no connection to the server could be made, so no other request reaches the server either."""

    begun: bool
    detail: str
    disconnected: bool = False
    unreachable: bool = False


#: the answer to a request that was taken back before it began
WITHDRAWN = TransportError(False, "withdrawn")

#: a request's index in its batch, and its answer; a batch keeps only the int 200 of a plain 200
Answered = tuple[int, int | Response | TransportError]


@dataclass(frozen=True)
class TokenRequest:
    """An access token that a provider needs before it can send. `cache_key` names the token's owner
    (Provider.token_key)."""

    cache_key: str
    request: Request


@dataclass(frozen=True)
class RequestTemplate:
    """What the requests of one batch share. Header names are lower case. `timeout` and `pool` as in Request."""

    method: str
    origin: str  #: https://host or https://host:port; smtp://host:port for the SMTP client
    path: str  #: for a batch whose requests have no paths of their own
    headers: tuple[tuple[str, str], ...]
    timeout: float = 10.0
    own_headers: tuple[str, ...] = ()  #: names of headers of which each request has its own value (RequestRows)
    pool: str = ""
    #: only for the SMTP client: all bodies have CRLF line ends, and none has a line that begins with a dot
    plain_lines: bool = False
    #: called with indexes of requests that the server has accepted, in a thread of the transport and before their
    #: connection begins another request. Only the SMTP client calls it
    accepted: Callable[[Sequence[int]], None] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RequestRows:
    """What differs between the requests of one batch, as columns of one length. Raises ValueError for columns of
    different lengths.

    `paths`: the own path of each request, as its URL holds it: with the leading slash and with escapes. For the SMTP
    client it is the envelope, `sender recipient`, without escapes. None: all requests have the path of their template.
    `headers`: one column of values for each name in RequestTemplate.own_headers."""

    bodies: Sequence[bytes]
    paths: Sequence[bytes] | None = None
    headers: Sequence[Sequence[bytes]] = ()

    def __post_init__(self) -> None:
        columns = self.headers if self.paths is None else (self.paths, *self.headers)
        if any(len(column) != len(self.bodies) for column in columns):
            raise ValueError("the columns of a batch have different lengths")

    def pick(self, positions: Sequence[int]) -> RequestRows:
        """Only the rows at these positions, in their order."""
        return RequestRows(
            [self.bodies[at] for at in positions],
            None if self.paths is None else [self.paths[at] for at in positions],
            [[column[at] for at in positions] for column in self.headers],
        )

    def request(self, template: RequestTemplate, at: int) -> Request:
        """The whole request of one row."""
        path = template.path if self.paths is None else self.paths[at].decode("ascii")
        own = zip(template.own_headers, self.headers, strict=True)
        headers = (*template.headers, *((name, column[at].decode("latin-1")) for name, column in own))
        url = template.origin + path
        return Request(template.method, url, headers, self.bodies[at], template.timeout, template.pool)


class RequestBatch(Protocol):
    """Requests in flight that share a RequestTemplate. One thread uses a completion queue and all its batches."""

    @property
    def left(self) -> int:
        """How many answers `take` has not returned yet."""
        ...

    def take(self, timeout: float) -> list[Answered]:
        """The answers since the last call. Waits at most `timeout` seconds: until the batch is complete, or for 50 ms
        after the first answer. Empty when no answer came in time, and when all answers were taken."""
        ...

    def withdraw(self) -> None:
        """Requests that have not begun never begin; their answer is WITHDRAWN."""
        ...


class CompletionQueue(Protocol):
    """Where one thread waits for the answers of several batches at once."""

    @property
    def left(self) -> int:
        """How many answers of all its batches `take` has not returned yet."""
        ...

    def send_batch(self, template: RequestTemplate, rows: RequestRows) -> RequestBatch:
        """As HttpClient.send_batch; the answers come to this queue."""
        ...

    def take(self, timeout: float) -> list[tuple[RequestBatch, list[Answered]]]:
        """As RequestBatch.take, for all batches of the queue; returns early when one of them is complete. Each batch
        appears at most once in the list."""
        ...


class Withdrawal:
    """By which one thread takes back the requests that another thread sends. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._withdrawers: list[Callable[[], None]] = []
        self.requested = False

    def request(self) -> None:
        with self._lock:
            self.requested = True
            withdrawers, self._withdrawers = self._withdrawers, []
        for withdraw in withdrawers:
            withdraw()

    def attach(self, withdraw: Callable[[], None]) -> None:
        """Call `withdraw` when the withdrawal is requested; at once when it has been."""
        with self._lock:
            if not self.requested:
                self._withdrawers.append(withdraw)
                return
        withdraw()


class HttpClient(Protocol):
    """Sends messages. `notifier.transport` implements it; `notifier.transport.in_memory` is the double for tests."""

    def exchange(
        self, requests: Sequence[Request], withdrawal: Withdrawal | None = None
    ) -> Iterator[Sequence[tuple[int, Response | TransportError]]]:
        """Send all requests; yield (index, answer) as answers come, in lists, at most 100 ms after an answer. Requests
        that have not begun when `withdrawal` is requested never begin; their answer is WITHDRAWN."""
        ...

    def send_batch(self, template: RequestTemplate, rows: RequestRows) -> RequestBatch:
        """Start to send the requests of `rows` in order, and return at once. Of a plain 200 only the status is kept.
        Raises ValueError unless `rows` has a column for each of template.own_headers."""
        ...

    def completion_queue(self) -> CompletionQueue:
        """A new queue, for batches that one thread keeps in flight together."""
        ...

    @property
    def streams(self) -> int:
        """How many requests this process has in flight to one server at most."""
        ...

    def warm(self, origin: str, pool: str = "") -> int:
        """Open this process's connections to a server, of one pool, before a message needs them, and keep them for 10
        minutes. Returns how many are open then; 0 when the server cannot be reached. Blocks for at most 10 seconds."""
        ...

    def token(self, request: TokenRequest) -> str:
        """The cached access token, fetched when missing or near its end. Raises TokenRefused."""
        ...

    def forget_token(self, cache_key: str) -> None:
        """Drop a token that the provider refused, so that the next call fetches a new one."""
        ...


class TokenRefused(Exception):
    """The token endpoint issued no access token. `temporary` False: the credentials are wrong."""

    def __init__(self, detail: str, *, temporary: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.temporary = temporary
