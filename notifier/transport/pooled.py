"""The process's clients: one for each CA file, started on first use and anew in each forked child."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator, Sequence

from notifier.transport.exchange import Answered, Exchange
from notifier.transport.loop import Loop
from notifier.transport.tokens import Tokens
from notifier.vocabulary import Broken, Request, Response, TokenRequest, Wire


class PooledWire:
    """HTTP/2 over TLS, multiplexed, connections kept. Any thread may call it."""

    def __init__(self, trust: str | None) -> None:
        system = ssl.get_default_verify_paths()
        self._trust = (trust or system.cafile, system.capath)
        self._loop: Loop | None = None
        self._starting = threading.Lock()
        self._tokens = Tokens(self._single)

    def exchange(self, requests: Sequence[Request]) -> Iterator[Sequence[Answered]]:
        """Send all; yield (index, answer) in batches as they come. Closing it early withdraws what has not begun."""
        exchange, loop = Exchange(requests), self._running()
        if not requests:
            return
        loop.submit(exchange)
        try:
            while batch := exchange.take():
                yield batch
        finally:
            if not exchange.complete:
                loop.withdraw(exchange)

    def token(self, wanted: TokenRequest) -> str:
        return self._tokens.get(wanted)

    def forget_token(self, cache_key: str) -> None:
        self._tokens.forget(cache_key)

    def _single(self, request: Request) -> Response | Broken:
        return next(answer for batch in self.exchange([request]) for _, answer in batch)

    def _running(self) -> Loop:
        loop = self._loop
        if loop is None or loop.dead or loop.pid != os.getpid():
            with self._starting:
                loop = self._loop
                if loop is None or loop.dead or loop.pid != os.getpid():
                    loop = self._loop = Loop(self._trust)
        return loop

    def after_fork(self) -> None:
        """In a child: keep nothing that the parent's threads may have held or may still use."""
        if self._loop is not None:
            self._loop.disown()
            _inherited.append(self._loop)
        self._loop = None
        self._starting = threading.Lock()
        self._tokens = Tokens(self._single)


_wires: dict[str | None, PooledWire] = {}
_inherited: list[Loop] = []  #: never collected: that would run libcurl's clean-up on the parent's state


def wire(trust: str | None = None) -> Wire:
    """The client of this process. `trust`: a CA file to believe beside the system's, e.g. the sandbox's."""
    return _wires.setdefault(trust, PooledWire(trust))


def _after_fork() -> None:
    for pooled in list(_wires.values()):
        pooled.after_fork()


os.register_at_fork(after_in_child=_after_fork)
