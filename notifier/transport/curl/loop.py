"""The one thread that drives libcurl: connections and TLS sessions live here for the life of the process.

Requests wait in a queue for each server and enter libcurl only as far as the queue's gate admits them, connections x
DEFAULT_STREAMS at most. So a server that hangs delays no other server, most requests of a withdrawn batch have not
begun, and no connection carries more streams than its server allows.

Measured on two shared cores, POSTs of 400-475 bytes over TLS, the server on the same machine: 16-20 k/s to our sandbox
and 13-18 k/s to nghttpd, 48-60 µs of CPU a message. A bare CurlMulti loop without queues and gates costs 33-45 µs:
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
from functools import lru_cache

import pycurl

from notifier.transport.completions import PendingBatch
from notifier.transport.curl.pool_handle import UNUSED_SECONDS, PoolHandle
from notifier.transport.curl.queues import EndpointQueue, RequestOwner, Submission, UnsentRequests, queue_again
from notifier.transport.curl.transfer import Authorities, Transfer
from notifier.transport.h2.protocol.connection import DEFAULT_STREAMS
from notifier.vocabulary.http import WITHDRAWN, Answered, Request, TransportError

log = logging.getLogger("notifier.transport")


class Loop:
    def __init__(self, authorities: Authorities, connections: int) -> None:
        self.pid = os.getpid()
        self.dead = False
        self._authorities = authorities
        self._connections = connections
        self._most_in_flight = connections * DEFAULT_STREAMS  #: requests to one server inside libcurl
        self._inbox: deque[Submission | PendingBatch] = deque()  #: to be sent, or to be withdrawn
        self._pendings: set[PendingBatch] = set()
        self._queues: dict[tuple[str, str], EndpointQueue] = {}  #: by host with port, and pool (Request.pool)
        self._spare: list[Transfer] = []
        self._in_flight: set[Transfer] = set()
        self._multis: dict[str, PoolHandle] = {}  #: by pool
        self._selector = selectors.DefaultSelector()
        self._wakeup_writer, self._wakeup_reader = socket.socketpair()
        self._wakeup_writer.setblocking(False)
        self._wakeup_reader.setblocking(False)
        self._selector.register(self._wakeup_reader, selectors.EVENT_READ)
        self._sockets: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="notifier-curl", daemon=True)
        self._thread.start()

    # -- other threads call these --

    def submit(self, submission: Submission) -> None:
        submission.pending.register_in(self._pendings)
        self._inbox.append(submission)
        self._wake()
        if self.dead:  # the thread ended after the caller looked
            submission.pending.fail("the libcurl thread ended")

    def withdraw(self, pending: PendingBatch) -> None:
        """Withdraw what has not begun of the batch. Takes effect before the loop starts another request."""
        self._inbox.append(pending)
        self._wake()

    def _wake(self) -> None:
        try:
            self._wakeup_writer.send(b"\0")
        except BlockingIOError:
            return  # the socket is full of wakeups that the loop has not read

    # -- the loop --

    def _run(self) -> None:
        try:
            while True:
                self._run_once()
        except BaseException:
            log.exception("the libcurl thread ended")
            self.dead = True
            for pending in list(self._pendings):
                pending.fail("the libcurl thread ended")

    def _run_once(self) -> None:
        for key, events in self._selector.select(self._select_timeout()):
            if key.fileobj is self._wakeup_reader:
                self._wakeup_reader.recv(65536)
            else:
                key.data.multi.socket_action(key.fd, _BITS[events])
        for handle in self._multis.values():
            handle.act_when_due()
        self._collect()
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, Submission):
                self._enqueue(item)
            else:
                self._withdraw(item)
        for queue in self._queues.values():
            if queue.waiting and queue.in_flight < queue.gate.window:
                self._fill(queue)

    def _select_timeout(self) -> float | None:
        due = min((handle.due for handle in self._multis.values() if handle.due is not None), default=None)
        return None if due is None else max(0.0, due - time.monotonic())

    def _enqueue(self, submission: Submission) -> None:
        by_endpoint: dict[tuple[str, str], list[tuple[int, Request]]] = {}
        for pair in submission.requests:
            by_endpoint.setdefault((_endpoint(pair[1].url), pair[1].pool), []).append(pair)
        now = time.monotonic()
        for key, requests in by_endpoint.items():
            queue = self._queues.get(key) or self._queues.setdefault(key, EndpointQueue(self._most_in_flight))
            queue.waiting.append(UnsentRequests(submission, iter(requests), now))

    def _withdraw(self, pending: PendingBatch) -> None:
        for transfer in [t for t in self._in_flight if t.owner.pending is pending and not t.begun]:
            pending.put([(transfer.owner.index, WITHDRAWN)])
            self._release(transfer)
        for queue in self._queues.values():
            for unsent in queue.waiting:
                if unsent.submission.pending is pending:
                    unsent.refuse(WITHDRAWN)

    def _fill(self, queue: EndpointQueue) -> None:
        """Start requests until the gate's window is full. Submissions take turns, so that none waits for another."""
        while queue.waiting and queue.in_flight < queue.gate.window:
            unsent = queue.waiting[0]
            if unsent.submission.pending.withdrawn:
                unsent.refuse(WITHDRAWN)
            indexed = next(unsent.requests, None)
            if indexed is None:
                queue.waiting.popleft()
                continue
            queue.waiting.rotate(-1)
            self._start(RequestOwner(unsent, *indexed, queue))

    def _start(self, owner: RequestOwner) -> None:
        transfer = self._spare.pop() if self._spare else Transfer(self._authorities)
        try:
            transfer.prepare(owner.request, owner.queue.gate)
        except (ValueError, TypeError, pycurl.error) as error:
            # only the error's type: its text may quote a header
            owner.pending.put([(owner.index, TransportError(False, f"cannot be sent: {type(error).__name__}"))])
            return
        transfer.owner = owner
        owner.queue.in_flight += 1
        self._in_flight.add(transfer)
        self._handle_of(owner.request.pool).add(transfer)

    def _handle_of(self, pool: str) -> PoolHandle:
        handle = self._multis.get(pool)
        if handle is None:
            self._close_unused()
            handle = self._multis[pool] = PoolHandle(self._connections, self._on_socket)
        return handle

    def _close_unused(self) -> None:
        """Close the connections of pools that carried nothing for UNUSED_SECONDS, and forget their queues."""
        before = time.monotonic() - UNUSED_SECONDS
        for pool in [pool for pool, handle in self._multis.items() if handle.is_unused_since(before)]:
            self._multis.pop(pool).multi.close()
        kept = {key: queue for key, queue in self._queues.items() if key[1] in self._multis or queue.waiting}
        self._queues = kept

    def _collect(self) -> None:
        """Read what libcurl finished and deliver it, one list a pending batch."""
        answers: dict[PendingBatch, list[Answered]] = {}
        held_back: list[RequestOwner] = []
        for handle in self._multis.values():
            self._read_results(handle, answers, held_back)
        for pending, answered in answers.items():
            pending.put(answered)
        if held_back:
            queue_again(held_back)

    def _read_results(
        self, handle: PoolHandle, answers: dict[PendingBatch, list[Answered]], held_back: list[RequestOwner]
    ) -> None:
        more = 1
        while more:
            more, done, failed = handle.multi.info_read()
            now = time.monotonic() if done else 0.0
            for curl in done:
                transfer = curl.transfer
                owner, response = transfer.owner, transfer.response()
                owner.queue.gate.answered(transfer.port)
                owner.queue.last_answer_at = now
                kept = response if owner.unsent.submission.whole or response.status != 200 else 200
                answers.setdefault(owner.pending, []).append((owner.index, kept))
                self._release(transfer)
            for curl, code, text in failed:
                transfer = curl.transfer
                owner = transfer.owner
                if transfer.held_back(code):
                    held_back.append(owner)
                else:
                    answers.setdefault(owner.pending, []).append((owner.index, _handle_failure(transfer, code, text)))
                self._release(transfer)

    def _release(self, transfer: Transfer) -> None:
        self._multis[transfer.owner.request.pool].remove(transfer)
        transfer.owner.queue.in_flight -= 1
        transfer.owner = None
        self._in_flight.discard(transfer)
        if len(self._spare) < 2 * self._most_in_flight:
            self._spare.append(transfer)

    # -- libcurl calls these --

    def _on_socket(self, handle: PoolHandle, event: int, fd: int) -> None:
        if os.getpid() != self.pid:
            return
        if event == pycurl.POLL_REMOVE:
            if fd in self._sockets:
                self._sockets.discard(fd)
                self._selector.unregister(fd)
        elif fd in self._sockets:
            self._selector.modify(fd, _EVENTS[event], handle)
        else:
            self._sockets.add(fd)
            self._selector.register(fd, _EVENTS[event], handle)

    # -- after a fork --

    def disown(self) -> None:
        """In a forked child: point the inherited sockets at /dev/null.

        libcurl's clean-up at the child's end would otherwise write close_notify on the parent's TLS connections.
        """
        self.dead = True
        devnull = os.open(os.devnull, os.O_RDWR)
        for fd in (*self._sockets, self._wakeup_writer.fileno(), self._wakeup_reader.fileno()):
            os.dup2(devnull, fd)
        os.close(devnull)


def _handle_failure(transfer: Transfer, code: int, text: str) -> TransportError:
    """The answer of a request that failed. Also tells the gate, and refuses what waits for an unreachable or silent
    server."""
    queue, error = transfer.owner.queue, transfer.error(code, text)
    if transfer.begun and code in CONNECTION_ENDED:
        queue.gate.cut(transfer.port)
    elif transfer.begun:
        queue.gate.failed(transfer.port)
    elif code in UNREACHABLE and not queue.gate.in_flight:
        queue.refuse(error)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        queue.give_up(transfer.owner.request.timeout)
    return error


#: libcurl's codes for a connection that ended, or a stream that the server refused
CONNECTION_ENDED = (pycurl.E_ABORTED_BY_CALLBACK, pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR, pycurl.E_GOT_NOTHING)
#: its codes for a connection that could not be opened
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
    """Host and port. A malformed URL gives a malformed endpoint, which libcurl refuses. Never raises: that would end
    the thread."""
    return url.partition("://")[2].partition("/")[0]
