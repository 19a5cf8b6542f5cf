"""The WebSocket of one open inbox: what was missed from the table, then what is announced, each message once.

    client  hello {token?, after_seq?} · read {up_to_seq} · ping
    server  ready · messages · unread {read?} · heartbeat (each with last_seq and unread) · pong

The token comes as a subprotocol (`notifier.inbox, <token>`) or in the hello, never in the query string, which logs
keep. Cookies are not looked at, so any origin may connect. docs: the widget, static/inbox/notifier-inbox.js.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import orjson
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.db import Error as DatabaseError

from inbox import feed, silent, tokens
from inbox.live import Counters, group
from inbox.position import Position
from notifier.errors import Forged, ReadOnly
from tenants.access import scope

log = structlog.get_logger("inbox")
T = TypeVar("T")

SUBPROTOCOL = "notifier.inbox"
MALFORMED, BAD_TOKEN, READ_ONLY, NO_HELLO, EXPIRED, TOO_MANY = 4400, 4401, 4403, 4408, 4410, 4429
TOO_BIG, BROKEN = 1009, 1011
FRAME_LIMIT = 16 * 1024
FRAMES_PER_SECOND = 20
SOCKETS_PER_INBOX = 20
HELLO_SECONDS = 10.0
HEARTBEAT_SECONDS = 25.0
#: SUBSCRIBE is sent but not waited for, so a message stored within its flight is found by an early first check
FIRST_CHECK_SECONDS = 1.0
SUBSCRIBE_SECONDS = 2.0
RESUBSCRIBE_SECONDS = 5.0
#: a client that reads nothing for so long is gone; what it missed waits in the table
SEND_SECONDS = 30.0


class Rejected(Exception):
    """Close the socket with this code."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


async def _in_scope(tenant_id: uuid.UUID, question: Callable[[], T]) -> T:
    """Ask the database as this tenant, on any free thread: Channels' default is one thread for all sockets."""

    def ask() -> T:
        with scope(tenant_id):
            return question()

    answer: T = await database_sync_to_async(ask, thread_sensitive=False)()
    return answer


class InboxConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """`receive` only takes notes; one task, `_serve`, does all reading and sending, at the socket's own pace."""

    channel_layer_alias = None  # it subscribes by itself, so that it also works, more slowly, while Redis is away
    open_sockets: Counter[uuid.UUID] = Counter()

    is_silent = False

    async def connect(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.host = (self.scope.get("client") or (None,))[0]
        self.is_silent = silent.enter(self.host)
        if not self.is_silent:
            await self._turn_away()
            return
        offered = self.scope.get("subprotocols") or []
        ours = offered[:1] == [SUBPROTOCOL]
        self.offered_token = offered[1] if ours and len(offered) > 1 else ""
        self.hello: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.wake = asyncio.Event()
        self.subscribed = asyncio.Event()
        self.pings = self.read_up_to = 0
        self.check_at = self.second = time.monotonic()
        self.frames = 0
        await self.accept(SUBPROTOCOL if ours else None)
        self.tasks.append(asyncio.create_task(self._guarded()))

    async def _turn_away(self) -> None:
        """Before the socket is one: an HTTP answer, and nothing is kept."""
        headers = [(b"content-type", b"text/plain"), (b"retry-after", b"5")]
        await self.base_send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
        await self.base_send({"type": "websocket.http.response.body", "body": b"Too many sockets without a hello.\n"})

    def _leave_silent(self) -> None:
        if self.is_silent:
            self.is_silent = False
            silent.leave(self.host)

    async def disconnect(self, code: int) -> None:
        self._leave_silent()
        for task in self.tasks:
            task.cancel()

    # -- what the client says --

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            self._count_frame()
            self._note(_parsed(text_data))
        except Rejected as refused:
            await self._refuse(refused)

    def _count_frame(self) -> None:
        now = time.monotonic()
        if now - self.second >= 1.0:
            self.second, self.frames = now, 0
        self.frames += 1
        if self.frames > FRAMES_PER_SECOND:
            raise Rejected(TOO_MANY, "too many messages")

    def _note(self, said: dict[str, Any]) -> None:
        match said:
            case {"type": "hello"} if not self.hello.done():
                self.hello.set_result(said)
            case {"type": "ping"} if self.hello.done():
                self.pings += 1
            case {"type": "read", "up_to_seq": seq} if self.hello.done() and _is_seq(seq):
                self.read_up_to = max(self.read_up_to, seq)
            case _:
                raise Rejected(MALFORMED, "unknown message")
        self.wake.set()

    # -- what the server does --

    async def _guarded(self) -> None:
        try:
            await self._serve()
        except Rejected as refused:
            await self._refuse(refused)
        except (DatabaseError, TimeoutError, OSError) as error:
            # the client comes back, with back-off, and resumes by its sequence number
            log.warning("socket dropped", action="inbox.socket", error=type(error).__name__)
            await self._refuse(Rejected(BROKEN, "try again"))
        except Exception:
            log.exception("socket failed", action="inbox.socket")
            await self._refuse(Rejected(BROKEN, "try again"))

    async def _serve(self) -> None:
        try:
            hello = await asyncio.wait_for(self.hello, HELLO_SECONDS)
        except TimeoutError:
            raise Rejected(NO_HELLO, "no hello") from None
        self._leave_silent()
        self.token, after_seq = _greeting(hello, self.offered_token)
        visitor = await self._verified()
        if self.open_sockets[visitor.recipient_id] >= SOCKETS_PER_INBOX:
            raise Rejected(TOO_MANY, "too many sockets")
        self.open_sockets[visitor.recipient_id] += 1
        try:
            async with asyncio.timeout(visitor.expires_at.timestamp() - time.time()) as lifetime:
                await self._live(visitor, after_seq)
        except TimeoutError:
            if lifetime.expired():
                raise Rejected(EXPIRED, "token expired") from None
            raise
        finally:
            self.open_sockets[visitor.recipient_id] -= 1
            if not self.open_sockets[visitor.recipient_id]:
                del self.open_sockets[visitor.recipient_id]

    async def _live(self, visitor: tokens.Visitor, after_seq: int | None) -> None:
        self.visitor = visitor
        # a position exists before the subscription, so that nothing announced is lost between the two
        self.position = Position(seq=0, counters=Counters())
        self.tasks.append(asyncio.create_task(self._listen()))
        await _until(self.subscribed, SUBSCRIBE_SECONDS)
        now = await self._ask(lambda: feed.counters(visitor.recipient_id))
        self.position.seq = now.last_seq if after_seq is None else min(after_seq, now.last_seq)
        self.position.counters = self.position.counters.merged(now)
        await self._say("ready", expires_at=visitor.expires_at.isoformat())
        self.check_at = time.monotonic() + FIRST_CHECK_SECONDS
        while True:
            await self._once()
            await _until(self.wake, self.check_at - time.monotonic())
            self.wake.clear()

    async def _once(self) -> None:
        if self.pings:
            self.pings = 0
            await self._say("pong")
        if self.read_up_to:
            if not self.visitor.may_write:
                raise Rejected(READ_ONLY, ReadOnly.code)
            seq, self.read_up_to = self.read_up_to, 0
            marked = await self._ask(lambda: feed.mark_read_up_to(self.visitor.recipient_id, seq))
            self.position.hear(marked.as_json())
        if time.monotonic() >= self.check_at:
            await self._check()
        await self._catch_up()
        for read in self.position.take_reads():
            await self._say("unread", read=read)
        if self.position.told != self.position.counters:
            await self._say("unread")

    async def _check(self) -> None:
        """Find what pub/sub lost and who was erased meanwhile; tell the client that the line is alive."""
        await self._verified()
        now = await self._ask(lambda: feed.counters(self.visitor.recipient_id))
        self.position.hear(now.as_json())
        # spread, so that sockets which came together do not ask together for ever
        self.check_at = time.monotonic() + HEARTBEAT_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
        await self._say("heartbeat")

    async def _catch_up(self) -> None:
        while self.position.behind:
            messages = self.position.take() or await self._page()
            if messages:
                await self._say("messages", messages=messages)

    async def _page(self) -> list[Mapping[str, Any]]:
        after, target = self.position.seq, self.position.counters.last_seq
        rows = await self._ask(
            lambda: [feed.as_json(m) for m in feed.since(self.visitor.recipient_id, after, limit=feed.PAGE)]
        )
        return self.position.take_page(rows, whole=len(rows) < feed.PAGE, target=target)

    async def _listen(self) -> None:
        """Note what is announced for this inbox, for as long as the socket lives."""
        name = group(self.visitor.recipient_id)
        while True:
            try:
                await self._receive_news(name)
            except Exception as error:  # channels_redis lets through whatever redis, asyncio or the OS raise
                if cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                    return  # the socket closes; leaving the group failed because Redis is away
                log.warning("not subscribed", action="inbox.subscribe", error=type(error).__name__)
                await asyncio.sleep(RESUBSCRIBE_SECONDS)

    async def _receive_news(self, name: str) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        try:
            await layer.group_add(name, channel)
            self.subscribed.set()
            self.check_at = min(self.check_at, time.monotonic() + FIRST_CHECK_SECONDS)
            while True:
                self.position.hear(await layer.receive(channel))
                self.wake.set()
        finally:
            await layer.group_discard(name, channel)

    # -- small doers --

    async def _verified(self) -> tokens.Visitor:
        try:
            visitor: tokens.Visitor = await database_sync_to_async(tokens.verify_alone, thread_sensitive=False)(
                self.token
            )
        except Forged as forged:
            raise Rejected(EXPIRED if forged.code == "token_expired" else BAD_TOKEN, forged.code) from None
        return visitor

    async def _ask(self, question: Callable[[], T]) -> T:
        return await _in_scope(self.visitor.tenant_id, question)

    async def _say(self, kind: str, **content: object) -> None:
        self.position.told = self.position.counters
        frame = {"type": kind, **self.position.counters.as_json(), **content}
        await asyncio.wait_for(self.send(orjson.dumps(frame).decode()), SEND_SECONDS)

    async def _refuse(self, refused: Rejected) -> None:
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        try:
            await self.close(refused.code, refused.why)
        except (RuntimeError, OSError) as error:  # the client was faster
            log.debug("already closed", action="inbox.socket", error=type(error).__name__)


def _parsed(text: str | None) -> dict[str, Any]:
    if text is None:
        raise Rejected(MALFORMED, "text frames only")
    if len(text.encode()) > FRAME_LIMIT:
        raise Rejected(TOO_BIG, "too big")
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Rejected(MALFORMED, "not JSON") from None
    if not isinstance(said, dict):
        raise Rejected(MALFORMED, "not an object")
    return said


def _is_seq(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63  # JSON's true is an int to isinstance


def _greeting(hello: Mapping[str, Any], offered_token: str) -> tuple[str, int | None]:
    token, after_seq = hello.get("token", offered_token), hello.get("after_seq")
    if not isinstance(token, str) or not token:
        raise Rejected(BAD_TOKEN, "no token")
    if after_seq is not None and not _is_seq(after_seq):
        raise Rejected(MALFORMED, "after_seq is a number from 0")
    return token, after_seq


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), max(0.0, seconds))
    except TimeoutError:
        return
