"""The one thread that drives libcurl: connections and TLS sessions live here for the life of the process.

Requests wait here, in a line for each far end, and enter libcurl only as far as the line's gate lets them, connections
x STREAMS_UNSAID at most: a far end that hangs holds up nobody else, what a consumer withdraws has mostly not begun, and
no connection carries more streams than its far end allows.

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pycurl

from notifier.transport.completions import WITHDRAWN, PendingBatch
from notifier.transport.curl.gate import Gate
from notifier.transport.curl.transfer import Transfer
from notifier.transport.h2.connection import STREAMS_UNSAID
from notifier.vocabulary.http import Answered, Request, TransportError

log = logging.getLogger("notifier.transport")


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests of a job, each with its index. `whole`: the whole answer is wanted, also of a plain 200."""

    pending: PendingBatch
    requests: Sequence[tuple[int, Request]]
    whole: bool


@dataclass(slots=True)
class BatchCursor:
    """A load on its way to one far end: what of it has not begun."""

    load: Batch
    waiting: Iterator[tuple[int, Request]]
    queued: float  #: when it came to its line

    def refuse(self, broken: TransportError) -> None:
        self.load.pending.refuse([index for index, _ in self.waiting], broken)


class EndpointQueue:
    """One far end: what waits for it, and how much libcurl has of it."""

    __slots__ = ("flying", "gate", "moved", "waiting")

    def __init__(self, most: int) -> None:
        self.waiting: deque[BatchCursor] = deque()
        self.flying = 0
        self.gate = Gate(most)
        self.moved = 0.0  #: when it last answered

    def give_up(self, limit: float) -> None:
        """What has waited so long while no answer came will not begin."""
        before = time.monotonic() - limit
        for run in self.waiting:
            if max(run.queued, self.moved) <= before:
                run.refuse(TransportError(False, "no stream came free within the timeout"))

    def refuse(self, broken: TransportError) -> None:
        """The far end cannot be reached: nothing of what waits has begun, and nothing of it will."""
        while self.waiting:
            self.waiting.popleft().refuse(broken)


@dataclass(slots=True)
class Owner:
    """Whose request a transfer carries."""

    run: BatchCursor
    index: int
    request: Request
    line: EndpointQueue

    @property
    def pending(self) -> PendingBatch:
        return self.run.load.pending


class Loop:
    def __init__(self, trust: tuple[str | None, str | None], connections: int) -> None:
        self.pid = os.getpid()
        self.dead = False
        self._trust = trust
        self._connections = connections
        self._in_flight = connections * STREAMS_UNSAID  #: requests to one far end inside libcurl
        self._inbox: deque[Batch | PendingBatch] = deque()  #: what to send, and what to withdraw
        self._pendings: set[PendingBatch] = set()
        self._lines: dict[str, EndpointQueue] = {}
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
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, self._connections)
        multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, STREAMS_UNSAID)
        multi.setopt(pycurl.M_MAXCONNECTS, 256)
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        return multi

    # -- other threads call these --

    def submit(self, load: Batch) -> None:
        load.pending.kept_in(self._pendings)
        self._inbox.append(load)
        self._ring()
        if self.dead:  # it went down between our caller's look and now
            load.pending.fail("the wire's thread ended")

    def withdraw(self, pending: PendingBatch) -> None:
        """What of it has not begun must not begin. Takes effect before the loop starts another request."""
        self._inbox.append(pending)
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
            for pending in list(self._pendings):
                pending.fail("the wire's thread ended")

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
            item = self._inbox.popleft()
            if isinstance(item, Batch):
                self._accept(item)
            else:
                self._pull_back(item)
        for line in self._lines.values():
            if line.waiting and line.flying < line.gate.window:
                self._fill(line)

    def _patience(self) -> float | None:
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def _accept(self, load: Batch) -> None:
        by_line: dict[str, list[tuple[int, Request]]] = {}
        for pair in load.requests:
            by_line.setdefault(_endpoint(pair[1].url), []).append(pair)
        now = time.monotonic()
        for name, requests in by_line.items():
            line = self._lines.get(name) or self._lines.setdefault(name, EndpointQueue(self._in_flight))
            line.waiting.append(BatchCursor(load, iter(requests), now))

    def _pull_back(self, pending: PendingBatch) -> None:
        for transfer in [t for t in self._flying if t.owner.pending is pending and not t.begun]:
            pending.put([(transfer.owner.index, WITHDRAWN)])
            self._release(transfer)
        for line in self._lines.values():
            for run in line.waiting:
                if run.load.pending is pending:
                    run.refuse(WITHDRAWN)

    def _fill(self, line: EndpointQueue) -> None:
        """Start requests until the far end has enough; loads take turns, so that none waits for another."""
        while line.waiting and line.flying < line.gate.window:
            run = line.waiting[0]
            if run.load.pending.withdrawn:
                run.refuse(WITHDRAWN)
            found = next(run.waiting, None)
            if found is None:
                line.waiting.popleft()
                continue
            line.waiting.rotate(-1)
            self._start(Owner(run, *found, line))

    def _start(self, owner: Owner) -> None:
        transfer = self._spare.pop() if self._spare else Transfer(self._trust)
        try:
            transfer.prepare(owner.request, owner.line.gate)
        except (ValueError, TypeError, pycurl.error) as error:
            # the type only: the text may quote a header
            owner.pending.put([(owner.index, TransportError(False, f"cannot be sent: {type(error).__name__}"))])
            return
        transfer.owner = owner
        owner.line.flying += 1
        self._flying.add(transfer)
        self._multi.add_handle(transfer.curl)

    def _collect(self) -> None:
        """Read what libcurl finished and hand it over, one batch a job."""
        answers: dict[PendingBatch, list[Answered]] = {}
        held_back: list[Owner] = []
        more = 1
        while more:
            more, done, failed = self._multi.info_read()
            now = time.monotonic() if done else 0.0
            for curl in done:
                transfer = curl.transfer
                owner, response = transfer.owner, transfer.response()
                owner.line.gate.answered(transfer.port)
                owner.line.moved = now
                told = response if owner.run.load.whole or response.status != 200 else 200
                answers.setdefault(owner.pending, []).append((owner.index, told))
                self._release(transfer)
            for curl, code, text in failed:
                transfer = curl.transfer
                owner = transfer.owner
                if transfer.held_back(code):
                    held_back.append(owner)
                else:
                    answers.setdefault(owner.pending, []).append((owner.index, _failure(transfer, code, text)))
                self._release(transfer)
        for pending, batch in answers.items():
            pending.put(batch)
        if held_back:
            _wait_again(held_back)

    def _release(self, transfer: Transfer) -> None:
        self._multi.remove_handle(transfer.curl)
        transfer.owner.line.flying -= 1
        transfer.owner = None
        self._flying.discard(transfer)
        if len(self._spare) < 2 * self._in_flight:
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


def _failure(transfer: Transfer, code: int, text: str) -> TransportError:
    """What a request that was not answered is told, and what its far end and those who wait for it make of it."""
    line, broken = transfer.owner.line, transfer.broken(code, text)
    if transfer.begun and code in CUT:
        line.gate.cut(transfer.port)
    elif transfer.begun:
        line.gate.failed(transfer.port)
    elif code in UNREACHABLE and not line.gate.under_way:
        line.refuse(broken)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        line.give_up(transfer.owner.request.timeout)
    return broken


def _wait_again(owners: Sequence[Owner]) -> None:
    """Put back what the gate held back, first in its line; nothing of it was written."""
    by_run: dict[int, list[Owner]] = {}
    for owner in owners:
        if owner.pending.withdrawn:
            owner.pending.put([(owner.index, WITHDRAWN)])
        else:
            by_run.setdefault(id(owner.run), []).append(owner)
    for same in by_run.values():
        run = same[0].run
        again = BatchCursor(run.load, iter([(owner.index, owner.request) for owner in same]), run.queued)
        same[0].line.waiting.appendleft(again)


#: how libcurl says that a connection ended, or that the far end refused a stream
CUT = (pycurl.E_ABORTED_BY_CALLBACK, pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR, pycurl.E_GOT_NOTHING)
#: how it says that no connection came about
UNREACHABLE = (
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_COULDNT_CONNECT,
    pycurl.E_OPERATION_TIMEDOUT,
    pycurl.E_SSL_CONNECT_ERROR,
    pycurl.E_PEER_FAILED_VERIFICATION,
)
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
def _endpoint(url: str) -> str:
    """Host and port; nonsense for nonsense, which libcurl will refuse. Never raises: it would end the thread."""
    return url.partition("://")[2].partition("/")[0]
