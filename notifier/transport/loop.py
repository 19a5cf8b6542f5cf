"""The one thread that drives libcurl: connections and TLS sessions live here for the life of the process.

Requests wait here, in a line for each far end, and enter libcurl only while fewer than IN_FLIGHT of that line are
under way: a far end that hangs holds up nobody else, and what a consumer withdraws has mostly not begun.

Measured on two shared cores, POSTs of 400-475 bytes over TLS, far end on the same machine: 16-20 k/s to our sandbox
and 13-18 k/s to nghttpd, 48-60 µs of CPU a message. A bare CurlMulti loop without any of this costs 33-45 µs there:
libcurl writes one TLS record a request, which is the floor of this design.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pycurl

from notifier.transport.exchange import Answered, Exchange
from notifier.transport.transfer import Transfer
from notifier.vocabulary import Broken

CONNECTIONS = 4  #: to one far end
STREAMS = 100  #: on one connection, when the far end does not say (it says fewer or more by SETTINGS)
IN_FLIGHT = CONNECTIONS * STREAMS  #: requests to one far end inside libcurl
SPARE = 2 * IN_FLIGHT  #: handles kept for reuse

log = logging.getLogger("notifier.transport")


class Line:
    """One far end: what waits for it, and how much is under way."""

    __slots__ = ("flying", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[tuple[Exchange, Iterator[int]]] = deque()
        self.flying = 0


class Loop:
    def __init__(self, trust: tuple[str | None, str | None]) -> None:
        self.pid = os.getpid()
        self.dead = False
        self._trust = trust
        self._inbox: deque[Exchange] = deque()
        self._open: set[Exchange] = set()
        self._lines: dict[str, Line] = {}
        self._spare: list[Transfer] = []
        self._flying: set[Transfer] = set()
        self._due: float | None = None
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._sockets: set[int] = set()
        self._multi = self._new_multi()
        self._thread = threading.Thread(target=self._run, name="notifier-wire", daemon=True)
        self._thread.start()

    def _new_multi(self) -> Any:
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, CONNECTIONS)
        multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, STREAMS)
        multi.setopt(pycurl.M_MAXCONNECTS, 256)
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        return multi

    # -- other threads call these --

    def submit(self, exchange: Exchange) -> None:
        self._open.add(exchange)
        self._inbox.append(exchange)
        self._ring()
        if self.dead:  # it went down between our caller's look and now
            exchange.fail("the wire's thread ended")

    def withdraw(self, exchange: Exchange) -> None:
        """What of it has not begun must not begin. Takes effect before the loop starts another request."""
        exchange.withdrawn = True
        self._inbox.append(exchange)
        self._ring()

    def _ring(self) -> None:
        try:
            self._bell.send(b"\0")
        except BlockingIOError:
            return  # the bell is full of rings not yet heard

    # -- the loop --

    def _run(self) -> None:
        try:
            while True:
                self._turn()
        except BaseException:
            log.exception("the wire's thread ended")
            self.dead = True
            for exchange in list(self._open):
                exchange.fail("the wire's thread ended")

    def _turn(self) -> None:
        for key, events in self._selector.select(self._patience()):
            if key.fileobj is self._ear:
                self._ear.recv(65536)
            else:
                self._multi.socket_action(key.fd, _BITS[events])
        if self._due is not None and self._due <= time.monotonic():
            self._due = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()
        while self._inbox:
            self._accept(self._inbox.popleft())
        for line in self._lines.values():
            if line.waiting and line.flying < IN_FLIGHT:
                self._fill(line)

    def _patience(self) -> float | None:
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def _accept(self, exchange: Exchange) -> None:
        if exchange.withdrawn:
            self._pull_back(exchange)
            return
        by_line: dict[str, list[int]] = {}
        for index, request in enumerate(exchange.requests):
            by_line.setdefault(_far_end(request.url), []).append(index)
        for name, indexes in by_line.items():
            self._lines.setdefault(name, Line()).waiting.append((exchange, iter(indexes)))

    def _pull_back(self, exchange: Exchange) -> None:
        for transfer in [t for t in self._flying if t.owner[0] is exchange and not t.begun]:
            self._release(transfer)
        self._open.discard(exchange)

    def _fill(self, line: Line) -> None:
        """Start requests until the far end has IN_FLIGHT; exchanges take turns, so that none waits for another."""
        while line.waiting and line.flying < IN_FLIGHT:
            exchange, indexes = line.waiting[0]
            index = None if exchange.withdrawn else next(indexes, None)
            if index is None:
                line.waiting.popleft()
                continue
            line.waiting.rotate(-1)
            self._start(exchange, index, line)

    def _start(self, exchange: Exchange, index: int, line: Line) -> None:
        transfer = self._spare.pop() if self._spare else Transfer(self._trust)
        try:
            transfer.prepare(exchange.requests[index])
        except (ValueError, TypeError, pycurl.error) as error:
            # the type only: the text may quote a header
            self._answer(exchange, [(index, Broken(False, f"cannot be sent: {type(error).__name__}"))])
            return
        transfer.owner = (exchange, index, line)
        line.flying += 1
        self._flying.add(transfer)
        self._multi.add_handle(transfer.curl)

    def _collect(self) -> None:
        """Read what libcurl finished and hand it over, one batch an exchange."""
        answers: dict[Exchange, list[Answered]] = {}
        more = 1
        while more:
            more, done, failed = self._multi.info_read()
            for curl in done:
                transfer = curl.transfer
                exchange, index, _ = transfer.owner
                answers.setdefault(exchange, []).append((index, transfer.response()))
                self._release(transfer)
            for curl, code, text in failed:
                transfer = curl.transfer
                exchange, index, _ = transfer.owner
                answers.setdefault(exchange, []).append((index, transfer.broken(code, text)))
                self._release(transfer)
        for exchange, batch in answers.items():
            self._answer(exchange, batch)

    def _answer(self, exchange: Exchange, batch: list[Answered]) -> None:
        if exchange.put(batch):
            self._open.discard(exchange)

    def _release(self, transfer: Transfer) -> None:
        self._multi.remove_handle(transfer.curl)
        transfer.owner[2].flying -= 1
        transfer.owner = None
        self._flying.discard(transfer)
        if len(self._spare) < SPARE:
            self._spare.append(transfer)

    # -- libcurl calls these --

    def _on_socket(self, event: int, fd: int, _multi: Any, _data: Any) -> None:
        if os.getpid() != self.pid:
            return
        if event == pycurl.POLL_REMOVE:
            if fd in self._sockets:
                self._sockets.discard(fd)
                self._selector.unregister(fd)
        elif fd in self._sockets:
            self._selector.modify(fd, _EVENTS[event])
        else:
            self._sockets.add(fd)
            self._selector.register(fd, _EVENTS[event])

    def _on_timer(self, milliseconds: int) -> None:
        self._due = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    # -- after a fork --

    def disown(self) -> None:
        """In a child: point the inherited sockets at nothing.

        libcurl's clean-up at the child's end would otherwise say goodbye on the parent's TLS connections.
        """
        self.dead = True
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in (*self._sockets, self._bell.fileno(), self._ear.fileno()):
            os.dup2(nothing, fd)
        os.close(nothing)


_EVENTS = {
    pycurl.POLL_IN: selectors.EVENT_READ,
    pycurl.POLL_OUT: selectors.EVENT_WRITE,
    pycurl.POLL_INOUT: selectors.EVENT_READ | selectors.EVENT_WRITE,
}
_BITS = {
    selectors.EVENT_READ: pycurl.CSELECT_IN,
    selectors.EVENT_WRITE: pycurl.CSELECT_OUT,
    selectors.EVENT_READ | selectors.EVENT_WRITE: pycurl.CSELECT_IN | pycurl.CSELECT_OUT,
}


@lru_cache(maxsize=4096)
def _far_end(url: str) -> str:
    """Host and port; nonsense for nonsense, which libcurl will refuse. Never raises: it would end the thread."""
    return url.partition("://")[2].partition("/")[0]
