"""The WebSocket of one open inbox. It sends missed messages from the table, then announced ones, each message once.

    client  hello {token?, after_seq?, after_revision?} · ping · seen {up_to_seq} · read {up_to_seq, category?}
            · change {id, do, until?} · list {state?, category?, q?, before_seq?, limit?}
    server  ready · messages · changes · unread {read?, seen?} · reload · list · error · heartbeat · pong, each with the
            counters

The token comes as a subprotocol (`notifier.inbox, <token>`) or in the hello, never in the query string, which logs
keep. Cookies are ignored, so a page of any origin may connect. The client is the widget, static/inbox/connection.js.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import orjson
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.db import Error as DatabaseError

from inbox import tokens
from inbox.live.requests import LISTED, REQUESTS, MalformedRequest, Request, is_seq, parsed_request
from inbox.live.sync_state import SyncState
from inbox.store import feed
from inbox.store.announcements import group_name
from inbox.store.counters import Counters
from notifier.errors import Forged, NotifierError, ReadOnly
from notifier.web import unverified_sockets
from notifier.web.limits import uncount
from tenants.access import scope

log = structlog.get_logger("inbox")
T = TypeVar("T")

SUBPROTOCOL = "notifier.inbox"
MALFORMED, BAD_TOKEN, READ_ONLY, NO_HELLO, EXPIRED, TOO_MANY = 4400, 4401, 4403, 4408, 4410, 4429
TOO_BIG, SERVER_ERROR = 1009, 1011
FRAME_LIMIT = 16 * 1024
FRAMES_PER_SECOND = 20
#: requests of one socket that wait for the database
WAITING_REQUESTS = 20
SOCKETS_PER_INBOX = 20
HELLO_SECONDS = 10.0
HEARTBEAT_SECONDS = 25.0
#: the answer to SUBSCRIBE is not awaited: an early first check finds messages that were stored meanwhile
FIRST_CHECK_SECONDS = 1.0
SUBSCRIBE_SECONDS = 2.0
RESUBSCRIBE_SECONDS = 5.0
#: a client that reads nothing for so long is gone; its messages wait in the table
SEND_SECONDS = 30.0


class Rejected(Exception):
    """Close the socket with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def _in_scope(tenant_id: uuid.UUID, query: Callable[[], T]) -> T:
    """Run a query as this tenant, on any free thread: Channels' default is one thread for all sockets."""

    def run() -> T:
        with scope(tenant_id):
            return query()

    result: T = await database_sync_to_async(run, thread_sensitive=False)()
    return result


class InboxConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """`receive` only records what the client sent. One task, `_serve`, reads the database and sends, at the client's
    pace."""

    channel_layer_alias = None  # the consumer subscribes by itself: so it works, more slowly, while Redis is away
    open_sockets: Counter[uuid.UUID] = Counter()

    awaits_hello = False

    async def connect(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.host = (self.scope.get("client") or (None,))[0]
        self.awaits_hello = unverified_sockets.enter(self.host)
        if not self.awaits_hello:
            await self._reject_handshake()
            return
        offered = self.scope.get("subprotocols") or []
        ours = offered[:1] == [SUBPROTOCOL]
        self.offered_token = offered[1] if ours and len(offered) > 1 else ""
        self.hello: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.wake = asyncio.Event()
        self.subscribed = asyncio.Event()
        self.pings = 0
        self.requests: deque[Request] = deque()
        self.check_at = self.frames_since = time.monotonic()
        self.frames = 0
        await self.accept(SUBPROTOCOL if ours else None)
        self.tasks.append(asyncio.create_task(self._run()))

    async def _reject_handshake(self) -> None:
        """Answer the upgrade with an HTTP error; no socket is opened."""
        headers = [(b"content-type", b"text/plain"), (b"retry-after", b"5")]
        await self.base_send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
        await self.base_send({"type": "websocket.http.response.body", "body": b"Too many sockets without a hello.\n"})

    def _end_hello_limit(self) -> None:
        if self.awaits_hello:
            self.awaits_hello = False
            unverified_sockets.leave(self.host)

    async def disconnect(self, code: int) -> None:
        self._end_hello_limit()
        for task in self.tasks:
            task.cancel()

    # -- what the client sends --

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            self._count_frame()
            self._record(_parsed(text_data))
        except MalformedRequest as malformed:
            await self._close_with(Rejected(MALFORMED, str(malformed)))
        except Rejected as rejection:
            await self._close_with(rejection)

    def _count_frame(self) -> None:
        now = time.monotonic()
        if now - self.frames_since >= 1.0:
            self.frames_since, self.frames = now, 0
        self.frames += 1
        if self.frames > FRAMES_PER_SECOND:
            raise Rejected(TOO_MANY, "too many messages")

    def _record(self, frame: dict[str, Any]) -> None:
        match frame:
            case {"type": "hello"} if not self.hello.done():
                self.hello.set_result(frame)
            case {"type": "ping"} if self.hello.done():
                self.pings += 1
            case {"type": str(kind)} if self.hello.done() and kind in REQUESTS:
                if len(self.requests) >= WAITING_REQUESTS:
                    raise Rejected(TOO_MANY, "too many requests wait")
                self.requests.append(parsed_request(kind, frame))
            case _:
                raise Rejected(MALFORMED, "unknown message")
        self.wake.set()

    # -- what the server sends --

    async def _run(self) -> None:
        try:
            await self._serve()
        except Rejected as rejection:
            await self._close_with(rejection)
        except (DatabaseError, TimeoutError, OSError) as error:
            # the client reconnects with back-off and resumes after its sequence number
            log.warning("socket dropped", action="inbox.socket", error=type(error).__name__)
            await self._close_with(Rejected(SERVER_ERROR, "try again"))
        except Exception:
            log.exception("socket failed", action="inbox.socket")
            await self._close_with(Rejected(SERVER_ERROR, "try again"))

    async def _serve(self) -> None:
        try:
            hello = await asyncio.wait_for(self.hello, HELLO_SECONDS)
        except TimeoutError:
            raise Rejected(NO_HELLO, "no hello") from None
        self._end_hello_limit()
        self.token, after_seq, after_revision = _hello_values(hello, self.offered_token)
        visitor = await self._verified()
        if self.open_sockets[visitor.recipient_id] >= SOCKETS_PER_INBOX:
            raise Rejected(TOO_MANY, "too many sockets")
        self.open_sockets[visitor.recipient_id] += 1
        try:
            async with asyncio.timeout(visitor.expires_at.timestamp() - time.time()) as lifetime:
                await self._follow(visitor, after_seq, after_revision)
        except TimeoutError:
            if lifetime.expired():
                raise Rejected(EXPIRED, "token expired") from None
            raise
        finally:
            uncount(self.open_sockets, visitor.recipient_id)

    async def _follow(self, visitor: tokens.Visitor, after_seq: int | None, after_revision: int | None) -> None:
        self.visitor = visitor
        # the state exists before the subscription, so that the state receives every announcement
        self.state = SyncState(seq=0, revision=0, counters=Counters())
        self.tasks.append(asyncio.create_task(self._subscribe()))
        await _wait_for(self.subscribed, SUBSCRIBE_SECONDS)
        counters = await self._query(lambda: feed.counters(visitor.recipient_id))
        self.state.seq = counters.last_seq if after_seq is None else min(after_seq, counters.last_seq)
        revision = counters.revision
        self.state.revision = revision if after_revision is None else min(after_revision, revision)
        self.state.counters = self.state.counters.merged(counters)
        await self._send_frame("ready", expires_at=visitor.expires_at.isoformat())
        self.check_at = time.monotonic() + FIRST_CHECK_SECONDS
        while True:
            await self._step()
            await _wait_for(self.wake, self.check_at - time.monotonic())
            self.wake.clear()

    async def _step(self) -> None:
        if self.pings:
            self.pings = 0
            await self._send_frame("pong")
        while self.requests:
            await self._answer(self.requests.popleft())
        if time.monotonic() >= self.check_at:
            await self._beat()
        await self._send_messages()
        await self._send_changes()
        if self.state.sent_counters != self.state.counters:
            await self._send_frame("unread")

    async def _beat(self) -> None:
        """Verify the token anew, find announcements that pub/sub lost, and send a heartbeat."""
        await self._verified()
        counters = await self._query(lambda: feed.counters(self.visitor.recipient_id))
        self.state.receive_announcement(counters.as_json())
        # a random interval, so that sockets that were opened together do not query the database together for ever
        self.check_at = time.monotonic() + HEARTBEAT_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
        await self._send_frame("heartbeat")

    async def _send_messages(self) -> None:
        while self.state.is_behind:
            messages = self.state.next_messages() or await self._load_page()
            if messages:
                await self._send_frame("messages", messages=messages)

    async def _send_changes(self) -> None:
        while self.state.misses_changes:
            change = self.state.next_change()
            if change is None:
                await self._send_changes_of_table()
            else:
                await self._send_frame("changes" if "changes" in change else "unread", **change)

    async def _send_changes_of_table(self) -> None:
        after, target = self.state.revision, self.state.counters.revision
        recipient_id = self.visitor.recipient_id
        rows = await self._query(lambda: feed.changed_since(recipient_id, after, limit=feed.CHANGES + 1))
        self.state.accept_changes(target)
        if len(rows) > feed.CHANGES:
            await self._send_frame("reload")
        elif rows:
            await self._send_frame("changes", changes=[message.as_json() for message in rows])

    async def _answer(self, request: Request) -> None:
        if request.writes and not self.visitor.may_write:
            raise Rejected(READ_ONLY, ReadOnly.code)
        try:
            answer = await self._query(lambda: request.answer(self.visitor))
        except NotifierError as error:
            await self._send_frame("error", **request.echo, code=error.code, field=error.field, detail=error.message)
            return
        listed = {name: answer.pop(name) for name in LISTED if name in answer}
        self.state.receive_announcement(answer)
        if listed:
            await self._send_frame("list", **request.echo, **listed)

    async def _load_page(self) -> list[Mapping[str, Any]]:
        after, target = self.state.seq, self.state.counters.last_seq
        rows = await self._query(
            lambda: [m.as_json() for m in feed.since(self.visitor.recipient_id, after, limit=feed.PAGE)]
        )
        return self.state.accept_page(rows, whole=len(rows) < feed.PAGE, target=target)

    async def _subscribe(self) -> None:
        """Take in the announcements for this inbox until the socket closes."""
        name = group_name(self.visitor.recipient_id)
        while True:
            try:
                await self._receive_announcements(name)
            except Exception as error:  # channels_redis raises exceptions of redis, asyncio and the OS
                if cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                    return  # the socket closes, and leaving the group failed because Redis is away
                log.warning("not subscribed", action="inbox.subscribe", error=type(error).__name__)
                await asyncio.sleep(RESUBSCRIBE_SECONDS)

    async def _receive_announcements(self, name: str) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        try:
            await layer.group_add(name, channel)
            self.subscribed.set()
            self.check_at = min(self.check_at, time.monotonic() + FIRST_CHECK_SECONDS)
            while True:
                self.state.receive_announcement(await layer.receive(channel))
                self.wake.set()
        finally:
            await layer.group_discard(name, channel)

    # -- helpers --

    async def _verified(self) -> tokens.Visitor:
        try:
            visitor: tokens.Visitor = await database_sync_to_async(tokens.verify_alone, thread_sensitive=False)(
                self.token
            )
        except Forged as forged:
            raise Rejected(EXPIRED if forged.code == "token_expired" else BAD_TOKEN, forged.code) from None
        return visitor

    async def _query(self, query: Callable[[], T]) -> T:
        return await _in_scope(self.visitor.tenant_id, query)

    async def _send_frame(self, kind: str, **content: object) -> None:
        self.state.sent_counters = self.state.counters
        # with `after_revision` a client resumes: the counters may be of a change that it has not been sent yet
        resume = {"after_revision": self.state.revision}
        frame = {"type": kind, **self.state.counters.as_json(), **resume, **content}
        await asyncio.wait_for(self.send(orjson.dumps(frame).decode()), SEND_SECONDS)

    async def _close_with(self, rejection: Rejected) -> None:
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        try:
            await self.close(rejection.code, rejection.reason)
        except (RuntimeError, OSError) as error:  # the client closed first
            log.debug("already closed", action="inbox.socket", error=type(error).__name__)


def _parsed(text: str | None) -> dict[str, Any]:
    if text is None:
        raise Rejected(MALFORMED, "text frames only")
    if len(text.encode()) > FRAME_LIMIT:
        raise Rejected(TOO_BIG, "too big")
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Rejected(MALFORMED, "not JSON") from None
    if not isinstance(frame, dict):
        raise Rejected(MALFORMED, "not an object")
    return frame


def _hello_values(hello: Mapping[str, Any], offered_token: str) -> tuple[str, int | None, int | None]:
    token = hello.get("token", offered_token)
    if not isinstance(token, str) or not token:
        raise Rejected(BAD_TOKEN, "no token")
    return token, _number(hello, "after_seq"), _number(hello, "after_revision")


def _number(hello: Mapping[str, Any], name: str) -> int | None:
    value = hello.get(name)
    if value is not None and not is_seq(value):
        raise Rejected(MALFORMED, f"{name} is a number from 0")
    return cast("int | None", value)


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), max(0.0, seconds))
    except TimeoutError:
        return
