"""Answers hellos: those that come while others are being answered share one transaction.

No timer waits for a batch to fill: the first hello is answered at once, and the next ones gather meanwhile.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from inbox import tokens
from inbox.live import limits, missed
from inbox.live.database import CHECK_SECONDS, check_in_thread, chunks, tenants_of
from inbox.live.frames import TRY_LATER, Rejected
from inbox.live.subscriber import Subscriber
from inbox.store.feed import Message
from inbox.store.standing import Checked, check
from inbox.tokens import Claimed, Visitor
from tenants.access import scope


@dataclass(frozen=True, slots=True)
class Admitted:
    """A visitor, and what the client missed. `messages` and `changes` are None if there are none, and if the socket has
    to read them: other hellos of the transaction have used up limits.MISSED_SIZE."""

    visitor: Visitor
    checked: Checked
    #: False: announcements may be lost until the next check
    is_subscribed: bool
    messages: list[Message] | None = None
    changes: list[Message] | None = None

    @property
    def size(self) -> int:
        """Characters of the texts."""
        return missed.size(self.messages or ()) + missed.size(self.changes or ())


@dataclass(eq=False, slots=True)
class Hello:
    """A hello that waits for its answer. The numbers say what the client has: None for nothing."""

    token: str = field(repr=False)
    claimed: Claimed
    after_seq: int | None
    after_revision: int | None
    answer: asyncio.Future[Admitted]


class Hellos:
    """The hellos of one process."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._waiting: deque[Hello] = deque()
        self._task: asyncio.Task[None] | None = None

    async def admit(self, token: str, claimed: Claimed, after_seq: int | None, after_revision: int | None) -> Admitted:
        """Verify the token. Raises Forged, Rejected when too many hellos wait, and the errors of a database that is
        away."""
        if len(self._waiting) >= limits.WAITING_HELLOS:
            raise Rejected(TRY_LATER, "try again later")
        answer: asyncio.Future[Admitted] = asyncio.get_running_loop().create_future()
        self._waiting.append(Hello(token, claimed, after_seq, after_revision, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(limits.HELLOS, len(self._waiting)))]
            try:
                await self._answer(batch)
            except Exception as error:
                if isinstance(error, TimeoutError):
                    # the database hangs: the next batches would each wait as long
                    batch += self._waiting
                    self._waiting.clear()
                for hello in batch:
                    _resolve(hello.answer, error)
        self._task = None

    async def _answer(self, batch: Sequence[Hello]) -> None:
        # before the counters are read: a message that is stored in between is announced
        recipients = {hello.claimed.recipient_id for hello in batch}
        is_subscribed = await self._subscriber.subscribe(recipients, limits.SUBSCRIBE_SECONDS)
        for chunk in chunks(batch, limits.HELLOS):
            async with asyncio.timeout(CHECK_SECONDS):
                answers = await check_in_thread(functools.partial(_answers, chunk, is_subscribed))
            for hello, answer in zip(chunk, answers, strict=True):
                _resolve(hello.answer, answer)


def _resolve(waiting: asyncio.Future[Admitted], answer: Admitted | BaseException) -> None:
    if waiting.done():
        return  # the client has left
    if isinstance(answer, BaseException):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)


def _answers(hellos: Sequence[Hello], is_subscribed: bool) -> list[Admitted | BaseException]:
    try:
        with scope(*tenants_of(hellos)):
            by_id = check({hello.claimed.recipient_id for hello in hellos})
            answers = [_verify(hello, by_id.get(hello.claimed), is_subscribed) for hello in hellos]
            return _with_missed(hellos, answers)
    except Exception as error:
        # each socket logs its error and closes; its client comes again
        return [error] * len(hellos)


def _verify(hello: Hello, checked: Checked | None, is_subscribed: bool) -> Admitted | BaseException:
    try:
        visitor = tokens.visitor_of(hello.token, hello.claimed, checked.standing if checked else None)
    except Exception as error:  # a secret that cannot be decrypted fails the hellos of its tenant only
        return error
    assert checked is not None
    return Admitted(visitor, checked, is_subscribed)


def _with_missed(
    hellos: Sequence[Hello], answers: Sequence[Admitted | BaseException]
) -> list[Admitted | BaseException]:
    """The answers with what each client missed, while limits.MISSED_SIZE allows it."""
    complete: list[Admitted | BaseException] = []
    read = 0
    for hello, answer in zip(hellos, answers, strict=True):
        if isinstance(answer, Admitted) and read < limits.MISSED_SIZE:
            answer = _read_missed(hello, answer)
            read += answer.size
        complete.append(answer)
    return complete


def _read_missed(hello: Hello, admitted: Admitted) -> Admitted:
    counters, recipient_id = admitted.checked.counters, hello.claimed.recipient_id
    messages = changes = None
    if hello.after_seq is not None and hello.after_seq < counters.last_seq:
        messages = missed.messages_after(recipient_id, hello.after_seq)
    if hello.after_revision is not None and hello.after_revision < counters.revision:
        changes = missed.changes_after(recipient_id, hello.after_revision)
    return replace(admitted, messages=messages, changes=changes)
