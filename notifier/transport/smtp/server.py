"""One SMTP server and one account: the messages that wait for it, and the connections that carry them. Everything here
runs in the reactor's thread."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from notifier.transport.completions import PendingBatch
from notifier.transport.smtp.connection import PIPELINE_DEPTH, Finished, Mail, is_progress
from notifier.transport.smtp.link import Link
from notifier.transport.smtp.settings import Settings
from notifier.vocabulary.http import WITHDRAWN, Answered, Response, TransportError

CONNECT_TIMEOUT = 10.0
REPEATS = 3  #: how often a message goes to another connection after its connection ended before the message began
CONNECT_PAUSE = 1.0  #: seconds without further attempts to connect after a failed one


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a message came from and where its answer goes."""

    pending: PendingBatch
    index: int
    plain: bool  #: of a message that the server accepted, only the status 200 is kept
    queued_at: float = 0.0
    repeats: int = 0  #: connections that ended before the message began


class Server:
    def __init__(self, settings: Settings, context: ssl.SSLContext, *, trusted: bool = False) -> None:
        """`trusted`: see egress.connect."""
        self._settings, self._context, self._trusted = settings, context, trusted
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Mail] = deque()
        self._links: list[Link] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._paused_until = 0.0
        self._answered: list[tuple[Link, Sequence[Finished]]] = []  #: in this turn of the loop
        self._progress_at = 0.0  #: when the server last answered a message

    # -- messages come --

    def submit(self, mails: Sequence[Mail]) -> None:
        self._waiting.extend(mails)
        self._fill_all()

    def withdraw(self, pending: PendingBatch) -> None:
        withdrawn = self._take_waiting(lambda mail: mail.slot.pending is pending)
        for link in self._links:
            withdrawn += link.connection.withdraw(lambda slot: slot.pending is pending)
        pending.refuse([mail.slot.index for mail in withdrawn], WITHDRAWN)

    def _take_waiting(self, chosen: Callable[[Mail], bool]) -> list[Mail]:
        """Remove the chosen messages from those that wait."""
        taken = [mail for mail in self._waiting if chosen(mail)]
        if taken:
            self._waiting = deque(mail for mail in self._waiting if not chosen(mail))
        return taken

    def fill(self, link: Link) -> None:
        """Begin as many messages as the connection has room for."""
        while self._waiting and link.room > 0:
            mail = self._waiting.popleft()
            if refusal := link.connection.refusal_of(mail):
                mail.slot.pending.put([(mail.slot.index, refusal)])
            else:
                link.begin(mail)

    # -- answers come --

    def answered(self, link: Link, answers: Sequence[Finished]) -> None:
        """Connections that are answered in the same turn of the loop are handled together: one note for all."""
        if not self._answered:
            self._loop.call_soon(self._handle_answered)
        self._answered.append((link, answers))

    def _handle_answered(self) -> None:
        answered, self._answered = self._answered, []
        accepted: dict[PendingBatch, list[int]] = {}
        for _, answers in answered:
            for mail, answer in answers:
                pending = mail.slot.pending
                if isinstance(answer, Response) and answer.status < 300:
                    accepted.setdefault(pending, []).append(mail.slot.index)
        for pending, indexes in accepted.items():
            if pending.accepted is not None:
                pending.accepted(indexes)
        for link, _ in answered:  # the next bodies are written after the notes
            link.write()
        for link, answers in answered:  # last, because this wakes the sending thread
            self.finished(link, answers)

    def finished(self, link: Link, answers: Sequence[Finished]) -> None:
        batches: dict[PendingBatch, list[Answered]] = {}
        for mail, answer in answers:
            slot: Slot = mail.slot
            if isinstance(answer, TransportError) and not answer.begun:
                if slot.pending.withdrawn:
                    answer = WITHDRAWN
                elif self._repeat(mail):
                    continue
            if is_progress(answer):
                self._progress_at = self._loop.time()
            accepted = isinstance(answer, Response) and answer.status < 300
            batches.setdefault(slot.pending, []).append((slot.index, 200 if accepted and slot.plain else answer))
        for pending, answered in batches.items():
            pending.put(answered)

    def _repeat(self, mail: Mail) -> bool:
        """Queue a message again whose connection ended before it began; False when that happened too often."""
        slot: Slot = mail.slot
        if slot.repeats >= REPEATS:
            return False
        self._waiting.appendleft(replace(mail, slot=replace(slot, repeats=slot.repeats + 1)))
        return True

    def lost(self, link: Link, reason: str) -> None:
        """A connection ended, and its messages have been answered. A connection that ended before it was ready (a
        refused login, too many connections) starts a pause: the next one would end in the same way."""
        if link in self._links:
            self._links.remove(link)
        if not link.connection.established:
            self._pause(link.connection.refusal or TransportError(False, reason, unreachable=True))
        elif link.connection.begun and not link.useful:
            self._paused_until = self._loop.time() + CONNECT_PAUSE  # a server that ends each connection at MAIL
        self._fill_all()

    def _pause(self, answer: Response | TransportError) -> None:
        """Open no connection for a while. Without any other connection, answer the waiting messages."""
        self._paused_until = self._loop.time() + CONNECT_PAUSE
        if not self._links:
            self._refuse_all(answer)

    def _fill_all(self) -> None:
        for link in self._links:
            self.fill(link)
            link.flush()
        if self._waiting:
            needed = -(-len(self._waiting) // PIPELINE_DEPTH)
            opening = sum(not link.connection.ready for link in self._links)
            self._open(min(self._settings.connections - len(self._links), needed - opening))

    def _open(self, number: int) -> None:
        if self._loop.time() < self._paused_until:
            return
        for _ in range(number):
            link = Link(self, self._settings, self._context, trusted=self._trusted)
            self._links.append(link)
            task = self._loop.create_task(self._connect(link))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _connect(self, link: Link) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await link.open()
        except (OSError, ValueError) as error:
            link.abort("cannot connect")  # the time can be over just after the connection was made
            if link in self._links:
                self._links.remove(link)
                self._pause(
                    TransportError(False, f"cannot connect: {error or type(error).__name__}"[:200], unreachable=True)
                )

    def _refuse_all(self, answer: Response | TransportError) -> None:
        while self._waiting:
            slot = self._waiting.popleft().slot
            slot.pending.put([(slot.index, answer)])

    # -- time passes --

    def sweep(self, now: float) -> bool:
        """False when the server has nothing left to do and can be dropped."""
        for link in list(self._links):
            link.sweep(now)
        # a slow server is waited for as long as it answers: 400 messages may be in flight to a server of 4 a second
        past = now - max((link.connection.upload_seconds for link in self._links), default=0.0)
        for mail in self._take_waiting(lambda mail: past - max(mail.slot.queued_at, self._progress_at) > mail.timeout):
            late = TransportError(False, "no connection came free in time", disconnected=True)
            mail.slot.pending.put([(mail.slot.index, late)])
        self._fill_all()
        return bool(self._links or self._waiting)
