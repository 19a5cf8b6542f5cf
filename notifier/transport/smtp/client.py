"""The SMTP client: what callers' threads and the reactor's thread share. It takes and returns the vocabulary of HTTP.

A message is a request: method MAIL; origin smtp://host:port; headers as in settings.py; path `sender recipient`, the
addresses of the envelope; body: the message with CRLF line ends. A reply is a response: its status is the SMTP code,
its headers are `stage` (the command that was answered) and `enhanced` (RFC 3463), its body is the reply's text. In a
batch, a message that the server accepted is answered with 200 only. A request without a recipient and a body is a
probe: it connects, logs in and asks whether the server takes mail of the sender; the answer's header `extensions` names
what the server offers.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from urllib.parse import unquote, urlsplit

from notifier.transport.base import BaseClient
from notifier.transport.completions import PendingBatch
from notifier.transport.h2.reactor import THREAD_ENDED, Reactor, reactor
from notifier.transport.smtp.connection import Mail
from notifier.transport.smtp.server import Server, Slot
from notifier.transport.smtp.settings import Settings, settings_of
from notifier.vocabulary.http import Answered, Request, RequestRows, RequestTemplate, Response, TransportError

LONGEST_ADDRESS = 320


class SmtpClient(BaseClient):
    """SMTP over TCP, with STARTTLS or TLS; connections are kept for a while."""

    def __init__(self, trust: str | None = None, connections: int = 4) -> None:
        super().__init__(trust, connections)
        self._pool: Pool | None = None
        self._starting = threading.Lock()

    def warm(self, origin: str, pool: str = "") -> int:
        return 0  # an origin is not enough to connect: the login comes with the first message

    def after_fork(self) -> None:
        super().after_fork()
        self._pool, self._starting = None, threading.Lock()

    def start_exchange(self, pending: PendingBatch, requests: Sequence[Request]) -> None:
        groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[int, str, bytes, float]]] = {}
        for index, request in enumerate(requests):
            url = urlsplit(request.url)
            group = groups.setdefault((f"{url.scheme}://{url.netloc}", request.headers), [])
            group.append((index, unquote(url.path[1:]), request.body, request.timeout))
        for (origin, headers), messages in groups.items():
            self._submit(pending, (origin, headers), messages, plain=False)

    def start_batch(self, pending: PendingBatch, template: RequestTemplate, rows: RequestRows) -> None:
        assert rows.paths is not None, "each message has its own recipient"
        pending.accepted = template.accepted
        messages = [
            (index, path.decode(), body, template.timeout)
            for index, (path, body) in enumerate(zip(rows.paths, rows.bodies, strict=True))
        ]
        self._submit(pending, (template.origin, template.headers), messages, plain=True, dots=not template.plain_lines)

    def withdraw(self, pending: PendingBatch) -> None:
        pool = self._running_pool()
        pool.reactor.call(pool.withdraw, pending)

    def _submit(
        self,
        pending: PendingBatch,
        origin_and_headers: tuple[str, tuple[tuple[str, str], ...]],
        messages: Iterable[tuple[int, str, bytes, float]],
        *,
        plain: bool,
        dots: bool = True,
    ) -> None:
        pool, mails, now = self._running_pool(), [], time.monotonic()
        refused: list[Answered] = []
        try:
            settings = settings_of(*origin_and_headers)
        except ValueError as error:
            pending.put([(index, TransportError(False, f"cannot be sent: {error}")) for index, *_ in messages])
            return
        for index, path, body, timeout in messages:
            sender, _, recipient = path.partition(" ")
            if problem := unsendable(sender, recipient, body if dots else b""):
                refused.append((index, TransportError(False, f"cannot be sent: {problem}")))
            elif recipient and not fits_envelope(recipient):
                # the address is at fault for good, so the answer is that of a server
                text = b"5.1.3 cannot be sent: an address that no envelope can hold"
                refused.append((index, Response(553, {"stage": "rcpt", "enhanced": "5.1.3"}, text)))
            else:
                mails.append(Mail(Slot(pending, index, plain, now), sender, recipient, body, timeout, dots))
        if refused:
            pending.put(refused)
        if mails:
            pending.register_in(pool.reactor.pendings)
            pool.reactor.call(pool.submit, settings, mails)
            if pool.reactor.dead:
                pending.fail(THREAD_ENDED)

    def _running_pool(self) -> Pool:
        current, pool = reactor(), self._pool
        if pool is None or pool.reactor is not current:
            with self._starting:  # two pools would open twice the connections, and withdraw half of the messages
                pool = self._pool
                if pool is None or pool.reactor is not current:
                    pool = self._pool = Pool(current, self.trust)
        return pool


class Pool:
    """The servers that one client sends to. Everything but the constructor runs in the reactor's thread."""

    def __init__(self, current: Reactor, trust: str | None) -> None:
        self.reactor = current
        self._context = ssl.create_default_context()
        self._trusted = bool(trust)
        if trust:
            self._context.load_verify_locations(trust)
        self._servers: dict[Settings, Server] = {}
        current.call(current.sweeps.append, self._sweep)

    def submit(self, settings: Settings, mails: Sequence[Mail]) -> None:
        server = self._servers.get(settings)
        if server is None:
            server = self._servers[settings] = Server(settings, self._context, trusted=self._trusted)
        server.submit(mails)

    def withdraw(self, pending: PendingBatch) -> None:
        for server in self._servers.values():
            server.withdraw(pending)

    def _sweep(self, now: float) -> None:
        for settings in [settings for settings, server in self._servers.items() if not server.sweep(now)]:
            del self._servers[settings]


def unsendable(sender: str, recipient: str, body: bytes) -> str:
    """Why the message can never be sent; empty when it can. A bare CR or LF is refused, because some servers would take
    it for the end of the message (SMTP smuggling)."""
    if not fits_envelope(sender):
        return "a sender that no envelope can hold"
    if not recipient and body:
        return "no recipient"
    ends = body.count(b"\r\n")
    if body.count(b"\n") != ends or body.count(b"\r") != ends:
        return "a line that does not end with CR LF"
    return ""


def fits_envelope(address: str) -> bool:
    return (
        len(address) <= LONGEST_ADDRESS
        and address.isprintable()
        and not ("<" in address or ">" in address or " " in address)
    )
