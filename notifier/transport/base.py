"""What every client shares: one instance a process and CA file (a forked child starts new ones), completion queues,
access tokens."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self, cast

from notifier.transport.completions import Completions, PendingBatch, iter_answers
from notifier.transport.h2.protocol.connection import DEFAULT_STREAMS
from notifier.transport.tokens import Tokens
from notifier.vocabulary.http import (
    Request,
    RequestBatch,
    RequestRows,
    RequestTemplate,
    Response,
    TokenRequest,
    TransportError,
    Withdrawal,
)

CONNECTIONS = 4  #: to one server


class BaseClient(ABC):
    """Any thread may call it. `trust`: a CA file that is trusted beside the system's, e.g. the sandbox's."""

    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        self.trust, self.connections = trust, connections
        self._tokens = Tokens(self._exchange_one)

    @classmethod
    def shared(cls, trust: str | None = None, connections: int = CONNECTIONS) -> Self:
        """This process's client of this class."""
        key = (cls, trust, connections)
        return cast(Self, _clients.get(key) or _clients.setdefault(key, cls(trust, connections)))

    def exchange(
        self, requests: Sequence[Request], withdrawal: Withdrawal | None = None
    ) -> Iterator[Sequence[tuple[int, Response | TransportError]]]:
        """Send all requests; yield (index, answer) in lists as answers come. A caller that closes the iterator early
        withdraws the requests that have not begun."""
        pending = PendingBatch(len(requests), Completions(self))
        self.start_exchange(pending, requests)
        if withdrawal is not None:
            withdrawal.attach(pending.withdraw)
        yield from iter_answers(pending)

    def send_batch(self, template: RequestTemplate, rows: RequestRows) -> RequestBatch:
        return self.completion_queue().send_batch(template, rows)

    def completion_queue(self) -> Completions:
        return Completions(self)

    @property
    def streams(self) -> int:
        return self.connections * DEFAULT_STREAMS

    def token(self, request: TokenRequest) -> str:
        return self._tokens.get(request)

    def forget_token(self, cache_key: str) -> None:
        self._tokens.forget(cache_key)

    def after_fork(self) -> None:
        """In a forked child: drop every lock that a thread of the parent may have held."""
        self._tokens = Tokens(self._exchange_one)

    def _exchange_one(self, request: Request) -> Response | TransportError:
        return next(answer for answers in self.exchange([request]) for _, answer in answers)

    # -- pending batches --

    @abstractmethod
    def start_exchange(self, pending: PendingBatch, requests: Sequence[Request]) -> None:
        """Send requests that share nothing, and keep their whole answers."""

    @abstractmethod
    def start_batch(self, pending: PendingBatch, template: RequestTemplate, rows: RequestRows) -> None:
        """Send requests that share a template, and keep only the status of a plain 200."""

    @abstractmethod
    def withdraw(self, pending: PendingBatch) -> None:
        """Answer the requests that have not begun with WITHDRAWN; they never begin."""


_clients: dict[tuple[type[BaseClient], str | None, int], BaseClient] = {}


def _after_fork() -> None:
    for client in list(_clients.values()):
        client.after_fork()


os.register_at_fork(after_in_child=_after_fork)
