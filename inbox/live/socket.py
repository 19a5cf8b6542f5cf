"""The WebSocket of one open inbox. It sends missed messages from the table, then announced ones, each message once.

    client  hello {token?, after_seq?, after_revision?} · ping · seen {up_to_seq} · read {up_to_seq, category?}
            · change {id, do, until?} · list {state?, category?, q?, before_seq?, limit?}
    server  ready · messages · changes · unread {read?, seen?} · reload · list · error · heartbeat · pong, each with the
            counters

The token comes as a subprotocol (`notifier.inbox, <token>`) or in the hello, never in the query string, which logs
keep. Cookies are ignored, so a page of any origin may connect. The client is the widget, static/inbox/connection.js.

An idle socket has one task, which waits for the client. What can be sent at once is sent by its caller; a second task
(`_drain`) runs only while the socket waits for the database or for a slow client.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

import orjson
import structlog
from django.db import Error as DatabaseError

from inbox import tokens
from inbox.live import limits, missed
from inbox.live.database import query
from inbox.live.frames import (
    BAD_TOKEN,
    EXPIRED,
    MALFORMED,
    NO_HELLO,
    READ_ONLY,
    SERVER_ERROR,
    TOO_MANY,
    Disconnected,
    Rejected,
    hello_values,
    parsed,
    parts_of,
)
from inbox.live.hellos import Admitted
from inbox.live.process import LiveInboxes, of_this_process
from inbox.live.requests import LISTED, REQUESTS, MalformedRequest, Request, parsed_request
from inbox.live.sync_state import SyncState
from inbox.store.counters import Counters
from inbox.store.feed import Message
from inbox.store.standing import Checked
from notifier.errors import Forged, NotifierError, ReadOnly
from notifier.web.protocols import unverified_sockets
from notifier.web.protocols.sockets import frames_of

log = structlog.get_logger("inbox")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Wait = Callable[[], Awaitable[None]]
#: a socket that the database has not checked for so long closes: its token may be withdrawn
UNCHECKED_SECONDS = 90.0


async def inbox_socket(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """The ASGI application."""
    await receive()
    host = (scope.get("client") or (None,))[0]
    if not unverified_sockets.enter(host):
        await unverified_sockets.refuse(send)
        return
    await InboxSocket(scope, receive, send, host).run()


class InboxSocket:
    """One socket. Frames of the client are read by `run`; `receive_announcement` and `take_check` come from outside."""

    __slots__ = (
        "_awaits_hello", "_checked_at", "_closing", "_drainer", "_expiry", "_frames", "_frames_since", "_heartbeat",
        "_host", "_offered_token", "_pong", "_process", "_protocol", "_receive", "_requests", "_send", "_standing",
        "_state", "_subprotocol", "_token", "_visitor", "claimed", "is_live", "recipient_id", "tick",
    )  # fmt: skip

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send, host: str | None) -> None:
        self._receive, self._send, self._host = receive, send, host
        self._protocol = frames_of(scope)
        offered = scope.get("subprotocols") or []
        self._subprotocol = limits.SUBPROTOCOL if offered[:1] == [limits.SUBPROTOCOL] else None
        self._offered_token = offered[1] if self._subprotocol and len(offered) > 1 else ""
        self._process: LiveInboxes = of_this_process()
        self._awaits_hello, self.is_live, self.tick = True, False, 0
        self._frames, self._frames_since = 0, time.monotonic()
        self._pong = self._heartbeat = False
        self._requests: deque[Request] | None = None
        self._drainer: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        # the state exists before the subscription, so that the state receives every announcement
        self._state = SyncState(seq=0, revision=0, counters=Counters())

    async def run(self) -> None:
        """Serve the client until either side closes."""
        try:
            await self._send({"type": "websocket.accept", "subprotocol": self._subprotocol})
            await self._serve()
        except Disconnected:
            return
        except Exception as error:
            await self._close(_rejection(error))
        finally:
            self._end_hello_limit()
            if self._drainer is not None:
                self._drainer.cancel()

    async def _serve(self) -> None:
        try:
            async with asyncio.timeout(limits.HELLO_SECONDS):
                frame = await self._next_frame()
        except TimeoutError:
            raise Rejected(NO_HELLO, "no hello") from None
        if frame.get("type") != "hello":
            raise Rejected(MALFORMED, "unknown message")
        self._token, after_seq, after_revision = hello_values(frame, self._offered_token)
        self._end_hello_limit()
        self.claimed = tokens.claimed_ids(self._token)
        self.recipient_id = self.claimed.recipient_id
        self._process.registry.add(self)
        try:
            admitted = await self._process.hellos.admit(self._token, self.claimed, after_seq, after_revision)
            self._begin(admitted, after_seq, after_revision)
            while True:
                self._record(await self._next_frame())
        finally:
            self._end()

    def _begin(self, admitted: Admitted, after_seq: int | None, after_revision: int | None) -> None:
        """The hello is answered: send what the client missed."""
        process, visitor, counters = self._process, admitted.visitor, admitted.checked.counters
        self._visitor, self._standing, self._checked_at = visitor, admitted.checked.standing, time.monotonic()
        self._state.begin(counters, after_seq, after_revision)
        self.is_live = True
        process.registry.live += 1
        seconds = visitor.expires_at.timestamp() - time.time()
        self._expiry = asyncio.get_running_loop().call_later(max(0.0, seconds), self._expire)
        if admitted.is_subscribed:
            process.heartbeats.schedule_next(self)
        else:
            process.heartbeats.schedule(self, limits.FIRST_CHECK_SECONDS)
        expires_at = visitor.expires_at.isoformat()
        self._write("ready", expires_at=expires_at, reconnect_within=process.registry.reconnect_within)
        if admitted.messages is not None:
            self._send_page(admitted.messages, counters.last_seq)
        if admitted.changes is not None:
            self._send_changes(admitted.changes, counters.revision)
        self._work()

    def _end(self) -> None:
        self._process.registry.remove(self)
        self._process.heartbeats.forget(self)
        if self.is_live:
            self.is_live = False
            self._process.registry.live -= 1
        if self._expiry is not None:
            self._expiry.cancel()

    def _end_hello_limit(self) -> None:
        if self._awaits_hello:
            self._awaits_hello = False
            unverified_sockets.leave(self._host)

    # -- what comes from outside --

    def receive_announcement(self, news: Mapping[str, Any]) -> None:
        """News of this inbox. They wait until the hello is answered."""
        self._state.receive_announcement(news)
        self._work()

    def take_check(self, checked: Checked | None) -> None:
        """The recipient and the counters as the table has them: send a heartbeat, or close."""
        try:
            if checked is None or checked.standing != self._standing:
                self._visitor = tokens.visitor_of(self._token, self.claimed, checked and checked.standing)
            assert checked is not None
            self._standing, self._checked_at = checked.standing, time.monotonic()
            if checked.is_newer_than(self._state.counters):
                self._state.merge(checked.counters)
            self._heartbeat = True
            self._work()
        except Exception as error:  # the next socket is checked nevertheless
            self._close_soon(_rejection(error))

    def check_failed(self) -> None:
        """The database did not answer."""
        if time.monotonic() - self._checked_at > UNCHECKED_SECONDS:
            self._close_soon(Rejected(SERVER_ERROR, "try again"))

    def _expire(self) -> None:
        self._close_soon(Rejected(EXPIRED, "token expired"))

    # -- what the client sends --

    async def _next_frame(self) -> dict[str, Any]:
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            raise Disconnected
        now = time.monotonic()
        if now - self._frames_since >= 1.0:
            self._frames_since, self._frames = now, 0
        self._frames += 1
        if self._frames > limits.FRAMES_PER_SECOND:
            raise Rejected(TOO_MANY, "too many messages")
        return parsed(event.get("text"))

    def _record(self, frame: dict[str, Any]) -> None:
        match frame:
            case {"type": "ping"}:
                self._pong = True
            case {"type": str(kind)} if kind in REQUESTS:
                if self._requests is None:
                    self._requests = deque()
                if len(self._requests) >= limits.WAITING_REQUESTS:
                    raise Rejected(TOO_MANY, "too many requests wait")
                self._requests.append(parsed_request(kind, frame))
            case _:
                raise Rejected(MALFORMED, "unknown message")
        self._work()

    # -- what the server sends --

    def _work(self) -> None:
        """Send what can be sent at once. A task goes on with the rest."""
        if self.is_live and self._drainer is None and (wait := self._send_all()) is not None:
            self._drainer = asyncio.create_task(self._drain(wait))

    def _send_all(self) -> Wait | None:
        """Send frames until something must be awaited, and return that. None: everything is sent."""
        state = self._state
        while True:
            if not self._protocol.may_write:
                return self._wait_for_client
            if self._pong:
                self._pong = False
                self._write("pong")
            elif self._requests:
                return self._answer
            elif self._heartbeat:
                self._heartbeat = False
                self._write("heartbeat", reconnect_within=self._process.registry.reconnect_within)
            elif state.is_behind or state.misses_changes:
                if (wait := self._send_news()) is not None:
                    return wait
            elif state.sent_counters != state.counters:
                self._write("unread")
            else:
                return None

    def _send_news(self) -> Wait | None:
        """Send the next messages or the next change. What was not announced is read from the table."""
        state = self._state
        if state.is_behind:
            messages = state.next_messages()
            if not messages:
                return self._load_page
            self._write_messages(messages)
            return None
        change = state.next_change()
        if change is None:
            return self._load_changes
        self._write("changes" if "changes" in change else "unread", **change)
        return None

    async def _drain(self, wait: Wait | None) -> None:
        try:
            while wait is not None:
                await wait()
                wait = self._send_all()
        except Exception as error:
            self._close_soon(_rejection(error))
        finally:
            self._drainer = None

    async def _wait_for_client(self) -> None:
        try:
            await self._protocol.until_writable(limits.SEND_SECONDS)
        except TimeoutError:
            self._protocol.abort()  # a closing handshake would wait behind what the client does not read
            raise

    async def _load_page(self) -> None:
        after, target = self._state.seq, self._state.counters.last_seq
        self._send_page(await self._query(lambda: missed.messages_after(self.recipient_id, after)), target)

    def _send_page(self, rows: list[Message], target: int) -> None:
        """The messages that the table has after `seq`; a page that is not full is the last one."""
        page = [message.as_json() for message in rows]
        if messages := self._state.accept_page(page, whole=len(rows) < limits.MESSAGES, target=target):
            self._write_messages(messages)

    def _write_messages(self, messages: Sequence[Mapping[str, Any]]) -> None:
        for part in parts_of(messages):
            self._write("messages", messages=part)

    async def _load_changes(self) -> None:
        after, target = self._state.revision, self._state.counters.revision
        self._send_changes(await self._query(lambda: missed.changes_after(self.recipient_id, after)), target)

    def _send_changes(self, rows: list[Message], target: int) -> None:
        self._state.accept_changes(target)
        if missed.are_too_many(rows):
            self._write("reload")
        elif rows:
            self._write("changes", changes=[message.as_json() for message in rows])

    async def _answer(self) -> None:
        assert self._requests
        request = self._requests.popleft()
        if request.writes and not self._visitor.may_write:
            raise Rejected(READ_ONLY, ReadOnly.code)
        try:
            answer = await self._query(lambda: request.answer(self._visitor))
        except NotifierError as error:
            self._write("error", **request.echo, code=error.code, field=error.field, detail=error.message)
            return
        listed = {name: answer.pop(name) for name in LISTED if name in answer}
        self._state.receive_announcement(answer)
        if listed:
            self._write("list", **request.echo, **listed)

    async def _query(self, function: Callable[[], Any]) -> Any:
        return await query(self.claimed.tenant_id, function)

    def _write(self, kind: str, **content: object) -> None:
        state = self._state
        state.sent_counters = state.counters
        # with `after_revision` a client resumes: the counters may be of a change that it has not been sent yet
        frame = {"type": kind, **state.counters.as_json(), "after_revision": state.revision, **content}
        self._protocol.write_text(orjson.dumps(frame))

    # -- closing --

    def _close_soon(self, rejection: Rejected) -> None:
        """Close from another task; `run` then gets the end from `_receive`."""
        self._process.heartbeats.forget(self)
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(rejection))

    async def _close(self, rejection: Rejected) -> None:
        if self._drainer is not None and self._drainer is not asyncio.current_task():
            self._drainer.cancel()
        try:
            event = {"type": "websocket.close", "code": rejection.code, "reason": rejection.reason}
            await self._send(event)
        except (RuntimeError, OSError) as error:  # the client closed first
            log.debug("already closed", action="inbox.socket", error=type(error).__name__)


def _rejection(error: Exception) -> Rejected:
    """Why the socket closes."""
    if isinstance(error, Rejected):
        return error
    if isinstance(error, MalformedRequest):
        return Rejected(MALFORMED, str(error))
    if isinstance(error, Forged):
        return Rejected(EXPIRED if error.code == "token_expired" else BAD_TOKEN, error.code)
    if isinstance(error, DatabaseError | TimeoutError | OSError):
        # the client reconnects with back-off and resumes after its sequence number
        log.warning("socket dropped", action="inbox.socket", error=type(error).__name__)
    else:
        log.error("socket failed", action="inbox.socket", exc_info=error)
    return Rejected(SERVER_ERROR, "try again")
