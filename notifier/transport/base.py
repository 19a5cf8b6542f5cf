"""What both clients share: one of a kind in a process for each CA file, anew in each forked child; boxes for answers;
access tokens."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self, cast

from notifier.transport.completions import Completions, PendingBatch, batches
from notifier.transport.h2.connection import STREAMS_UNSAID
from notifier.transport.tokens import Tokens
from notifier.vocabulary.http import Request, RequestBatch, RequestTemplate, Response, TokenRequest, TransportError

CONNECTIONS = 4  #: to one far end


class BaseClient(ABC):
    """Any thread may call it. `trust`: a CA file to believe beside the system's, e.g. the sandbox's."""

    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        self.trust, self.connections = trust, connections
        self._tokens = Tokens(self._single)

    @classmethod
    def here(cls, trust: str | None = None, connections: int = CONNECTIONS) -> Self:
        """The client of this kind of this process."""
        key = (cls, trust, connections)
        return cast(Self, _clients.get(key) or _clients.setdefault(key, cls(trust, connections)))

    def exchange(self, requests: Sequence[Request]) -> Iterator[Sequence[tuple[int, Response | TransportError]]]:
        """Send all; yield (index, answer) in batches as they come. Closing it early withdraws what has not begun."""
        pending = PendingBatch(len(requests), Completions(self))
        self.begin(pending, requests)
        yield from batches(pending)

    def send_batch(
        self, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None = None
    ) -> RequestBatch:
        return self.completion_queue().send_batch(head, bodies, paths)

    def completion_queue(self) -> Completions:
        return Completions(self)

    @property
    def streams(self) -> int:
        return self.connections * STREAMS_UNSAID

    def token(self, wanted: TokenRequest) -> str:
        return self._tokens.get(wanted)

    def forget_token(self, cache_key: str) -> None:
        self._tokens.forget(cache_key)

    def after_fork(self) -> None:
        """In a child: keep nothing that the parent's threads may have held."""
        self._tokens = Tokens(self._single)

    def _single(self, request: Request) -> Response | TransportError:
        return next(answer for batch in self.exchange([request]) for _, answer in batch)

    # -- jobs --

    @abstractmethod
    def begin(self, pending: PendingBatch, requests: Sequence[Request]) -> None:
        """Send requests of all kinds; their whole answers are wanted."""

    @abstractmethod
    def launch(
        self, pending: PendingBatch, head: RequestTemplate, bodies: Sequence[bytes], paths: Sequence[bytes] | None
    ) -> None: ...

    @abstractmethod
    def retract(self, pending: PendingBatch) -> None: ...


_clients: dict[tuple[type[BaseClient], str | None, int], BaseClient] = {}


def _after_fork() -> None:
    for client in list(_clients.values()):
        client.after_fork()


os.register_at_fork(after_in_child=_after_fork)
