"""An HttpClient without a network, for tests: a function or a table decides the answers, and the client counts what
began on the receiver's side.

    client = InMemoryClient(lambda request: 503 if b"ada" in request.body else 200)
    with notifier.transport.use_client(client):
        ...  # code that sends through `notifier.transport.http_client`
    assert len(client.requests) == 2

A provider's `send` also takes the client as an argument. Requests begin in order, at most `max_in_flight` at once;
answers come when the caller takes them. No thread runs, so a test with one thread is deterministic.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from notifier.vocabulary.http import (
    WITHDRAWN,
    Answered,
    Request,
    RequestBatch,
    RequestRows,
    RequestTemplate,
    Response,
    TokenRequest,
    TransportError,
    Withdrawal,
)

#: an int: this status without headers and body; NO_ANSWER: the server never answers
Answer = int | Response | TransportError | None
NO_ANSWER = None
POLL = 0.01  #: seconds that a `take` without answers waits at most, so that a test of a silent server is quick
TIMED_OUT = TransportError(True, "no answer within the timeout")


def _access_token(_request: TokenRequest) -> str:
    return "in-memory-token"


def _nothing() -> None:
    return None


class InMemoryClient:
    """`answers`: a function of the request, or a table by URL (a URL outside the table gets 200). All attributes may be
    changed at any time; a function may raise, as if the process died."""

    def __init__(self, answers: Callable[[Request], Answer] | Mapping[str, Answer] | None = None) -> None:
        self.answers: Callable[[Request], Answer] | Mapping[str, Answer] = {} if answers is None else answers
        self.tokens: Callable[[TokenRequest], str] = _access_token  #: may raise TokenRefused
        self.before_take: Callable[[], None] = _nothing  #: called before a queue or batch returns answers
        self.streams = 400
        self.max_in_flight = 1_000_000  #: requests of one completion queue that begin before their answers are taken
        self.latency = 0.0  #: seconds that each request takes to begin
        self.requests: list[Request] = []  #: in the order in which they began
        self.exchanged: list[Request] = []  #: those of them that came through `exchange`
        self.warmed: list[str] = []  #: origins
        self.forgotten_tokens: list[str] = []  #: cache keys

    def exchange(
        self, requests: Sequence[Request], withdrawal: Withdrawal | None = None
    ) -> Iterator[Sequence[tuple[int, Response | TransportError]]]:
        """One answer a list. Each request begins when the caller asks for its answer. NO_ANSWER is in doubt at once."""
        for index, request in enumerate(requests):
            if withdrawal is not None and withdrawal.requested:
                yield [(index, WITHDRAWN)]
                continue
            self.exchanged.append(request)
            answer = self.begin(request)
            yield [(index, TIMED_OUT if answer is NO_ANSWER else answer)]

    def send_batch(self, template: RequestTemplate, rows: RequestRows) -> RequestBatch:
        return self.completion_queue().send_batch(template, rows)

    def completion_queue(self) -> InMemoryQueue:
        return InMemoryQueue(self)

    def warm(self, origin: str, pool: str = "") -> int:
        self.warmed.append(origin)
        return 1

    def token(self, request: TokenRequest) -> str:
        return self.tokens(request)

    def forget_token(self, cache_key: str) -> None:
        self.forgotten_tokens.append(cache_key)

    def begin(self, request: Request) -> Response | TransportError | None:
        """The receiver's side: count the request and decide its answer."""
        if self.latency:
            time.sleep(self.latency)
        self.requests.append(request)
        answer = self.answers.get(request.url, 200) if isinstance(self.answers, Mapping) else self.answers(request)
        return Response(answer, {}, b"") if isinstance(answer, int) else answer


class InMemoryQueue:
    """A CompletionQueue of an InMemoryClient."""

    def __init__(self, client: InMemoryClient) -> None:
        self.client = client
        self.in_flight = 0
        self._batches: list[InMemoryBatch] = []

    @property
    def left(self) -> int:
        return sum(batch.left for batch in self._batches)

    def send_batch(self, template: RequestTemplate, rows: RequestRows) -> InMemoryBatch:
        batch = InMemoryBatch(self, [rows.request(template, at) for at in range(len(rows.bodies))])
        self._batches.append(batch)
        self.begin()
        return batch

    def take(self, timeout: float) -> list[tuple[RequestBatch, list[Answered]]]:
        self.client.before_take()
        taken: list[tuple[RequestBatch, list[Answered]]] = [
            (batch, answers) for batch in self._batches if (answers := batch.take_ready())
        ]
        self.begin()
        if not taken:
            time.sleep(min(timeout, POLL))
        return taken

    def begin(self) -> None:
        """Begin as many requests as `max_in_flight` allows."""
        self._batches = [batch for batch in self._batches if batch.left]
        for batch in self._batches:
            while batch.waiting and self.in_flight < self.client.max_in_flight:
                self.in_flight += 1
                batch.begin_next()


class InMemoryBatch:
    """A RequestBatch of an InMemoryClient."""

    def __init__(self, queue: InMemoryQueue, requests: Sequence[Request]) -> None:
        self.left = len(requests)
        self.waiting = deque(enumerate(requests))  #: not begun
        self._queue = queue
        self._ready: list[Answered] = []
        self._withdrawn = 0

    def take(self, timeout: float) -> list[Answered]:
        self._queue.client.before_take()
        answers = self.take_ready()
        self._queue.begin()
        if not answers:
            time.sleep(min(timeout, POLL))
        return answers

    def withdraw(self) -> None:
        self._ready += [(index, WITHDRAWN) for index, _ in self.waiting]
        self._withdrawn += len(self.waiting)
        self.waiting.clear()

    def begin_next(self) -> None:
        index, request = self.waiting.popleft()
        answer = self._queue.client.begin(request)
        if answer is not NO_ANSWER:
            plain = isinstance(answer, Response) and answer.status == 200
            self._ready.append((index, 200 if plain else answer))

    def take_ready(self) -> list[Answered]:
        answers, self._ready = self._ready, []
        self.left -= len(answers)
        self._queue.in_flight -= len(answers) - self._withdrawn
        self._withdrawn = 0
        return answers
