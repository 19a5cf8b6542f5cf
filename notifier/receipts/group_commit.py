"""One thread checks and stores the calls of all providers, those that came meanwhile in one transaction.

A transaction for each call would cost PostgreSQL and the web process more than everything else about the call. No timer
waits for a batch to fill: while one transaction is committed, the next calls gather.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import structlog
from django.db import connection

from notifier.channels.queues import RECEIPTS
from notifier.delivery.receipts import incoming
from notifier.delivery.wakeup import signal
from notifier.models import ProviderAccount
from notifier.vocabulary.receipts import ReceiptRequest

log = structlog.get_logger("notifier.receipts")

#: calls of one transaction: a call waits for those before it in the batch, 0.1 ms each
BATCH = 100
#: bytes of calls that may wait for the thread; more are refused with 503
MAX_WAITING = 32 * 1024 * 1024


class Busy(Exception):
    """Too many calls wait already."""


@dataclass(eq=False)
class Call:
    """A call that waits for its answer: content type and body, or the exception that refuses the call."""

    provider: str
    account_id: uuid.UUID
    secret: str = field(repr=False)
    request: ReceiptRequest
    answer: asyncio.Future[tuple[str, bytes]]

    @property
    def size(self) -> int:
        return len(self.request.body)


class GroupCommit:
    """The thread, and the queue before it. One for each process; it starts with the first call."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Call] = SimpleQueue()
        self._waiting, self._thread = 0, threading.Thread(target=self._run, name="receipts", daemon=True)

    async def submit(
        self, provider: str, account_id: uuid.UUID, secret: str, call: ReceiptRequest
    ) -> tuple[str, bytes]:
        """Content type and body of the answer, once the call is stored. Raises NotFound, Forged, Busy, and the errors
        of a database that is away."""
        loop = asyncio.get_running_loop()
        waiting = Call(provider, account_id, secret, call, loop.create_future())
        if self._waiting + waiting.size > MAX_WAITING:
            raise Busy
        if not self._thread.is_alive():
            self._thread.start()
        self._waiting += waiting.size
        self._calls.put(waiting)
        try:
            return await waiting.answer
        finally:
            self._waiting -= waiting.size

    def _run(self) -> None:
        while True:
            calls = [self._calls.get()]
            try:
                while len(calls) < BATCH:
                    calls.append(self._calls.get_nowait())
            except Empty:
                pass
            answers = _answers(calls)
            # a call whose client has left is stored nevertheless
            calls[0].answer.get_loop().call_soon_threadsafe(_resolve, calls, answers)


Answer = tuple[str, bytes] | BaseException


def _answers(calls: Sequence[Call]) -> list[Answer]:
    """The answer to each call, after those that are genuine are stored."""
    try:
        accounts = incoming.load_accounts({call.account_id for call in calls})
        checked = [_check(call, accounts.get(call.account_id)) for call in calls]
        genuine = [(account, call.request) for (account, _), call in zip(checked, calls, strict=True) if account]
        if genuine:
            incoming.keep(genuine)
            signal.notify([RECEIPTS])
            log.info("receipts stored", action="receipts", calls=len(genuine))
        return [answer for _, answer in checked]
    except Exception as error:
        # the callers get the error's problem document, and call again later
        return [error] * len(calls)
    finally:
        # back to the pool: request threads have as many connections as there are
        connection.close()


def _check(call: Call, named: ProviderAccount | None) -> tuple[ProviderAccount | None, Answer]:
    """The account of a genuine call, and the answer. `named`: the account whose id the address has."""
    try:
        account = incoming.check_address(named, call.provider, call.secret)
        return account, incoming.verify(account, call.request)
    except Exception as error:
        return None, error


def _resolve(calls: Sequence[Call], answers: Sequence[Answer]) -> None:
    for call, answer in zip(calls, answers, strict=True):
        if call.answer.done():
            continue
        if isinstance(answer, BaseException):
            call.answer.set_exception(answer)
        else:
            call.answer.set_result(answer)
