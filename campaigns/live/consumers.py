"""The WebSocket of a launch page. It sends the parts of the page that changed, at most once a second.

    client  ping
    server  figures {state, halted, percent, sentence, parts} · pong

The session's cookie says who watches (`visitors`); the socket closes when the session has ended or the role is
withdrawn. The client is static/campaigns/live.js.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qs

import orjson
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseError

from campaigns.live import sharing, visitors
from campaigns.live.fragments import Reader, frame
from campaigns.live.visitors import Handshake, Visitor
from notifier.errors import InvalidInput
from notifier.values.zones import canonical
from notifier.web.limits import uncount
from notifier.web.protocols import unverified_sockets
from tenants.access import scope as tenant_scope

log = structlog.get_logger("campaigns")

MALFORMED, FORBIDDEN, TOO_MANY, TOO_BIG, SERVER_ERROR = 4400, 4403, 4429, 1009, 1011
#: as the inbox's socket (inbox.live.limits)
FRAME_LIMIT, FRAMES_PER_SECOND, SEND_SECONDS = 16 * 1024, 20, 30.0
SOCKETS_PER_USER = 20
#: the session and the role are looked at so often
VERIFY_SECONDS = 5.0
_PING = orjson.dumps({"type": "ping"})


class Rejected(Exception):
    """Close the socket with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class CampaignConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """`receive` only counts frames; one task, `_serve`, reads and sends, at the client's pace."""

    channel_layer_alias = None
    open_sockets: Counter[int] = Counter()

    async def connect(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.frames, self.frames_since, self.pings = 0, time.monotonic(), 0
        self.campaign_id: uuid.UUID = self.scope["url_route"]["kwargs"]["pk"]
        self.handshake = Handshake.of_scope(self.scope)
        self.reader = _reader(self.scope.get("query_string", b""))
        visitor = await self._first_verified()
        if visitor is None:
            # before `accept`: the upgrade is answered with 403
            await self.close()
            return
        await self.accept()
        self.task = asyncio.create_task(self._run(visitor))

    async def _first_verified(self) -> Visitor | None:
        host = (self.scope.get("client") or (None,))[0]
        if not self.handshake.is_of_this_site() or not unverified_sockets.enter(host):
            return None
        try:
            return await self._verified()
        finally:
            unverified_sockets.leave(host)

    async def disconnect(self, code: int) -> None:
        if self.task is not None:
            self.task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            self._read_frame(text_data)
        except Rejected as rejection:
            await self._close_with(rejection)

    def _read_frame(self, text: str | None) -> None:
        now = time.monotonic()
        if now - self.frames_since >= 1.0:
            self.frames_since, self.frames = now, 0
        self.frames += 1
        if self.frames > FRAMES_PER_SECOND:
            raise Rejected(TOO_MANY, "too many messages")
        if text is not None and len(text) > FRAME_LIMIT:
            raise Rejected(TOO_BIG, "too big")
        if text is None or text.encode() != _PING:
            raise Rejected(MALFORMED, "unknown message")
        self.pings += 1

    async def _run(self, visitor: Visitor) -> None:
        try:
            if self.open_sockets[visitor.user_id] >= SOCKETS_PER_USER:
                raise Rejected(TOO_MANY, "too many sockets")
            self.open_sockets[visitor.user_id] += 1
            try:
                await self._serve(visitor)
            finally:
                uncount(self.open_sockets, visitor.user_id)
        except Rejected as rejection:
            await self._close_with(rejection)
        except (DatabaseError, TimeoutError, OSError) as error:
            # the page polls meanwhile, and opens the socket again
            log.warning("socket dropped", action="campaigns.socket", error=type(error).__name__)
            await self._close_with(Rejected(SERVER_ERROR, "try again"))
        except Exception:
            log.exception("socket failed", action="campaigns.socket")
            await self._close_with(Rejected(SERVER_ERROR, "try again"))

    async def _serve(self, visitor: Visitor) -> None:
        shown: dict[str, Any] = {}
        verify_at = _next_look()
        while True:
            if time.monotonic() >= verify_at:
                again = await self._verified()
                if again is None or again.user_id != visitor.user_id:
                    raise Rejected(FORBIDDEN, "not logged in, or the role is withdrawn")
                verify_at = _next_look()
            until = await self._send_changes(visitor, shown)
            await asyncio.sleep(min(max(0.05, until - time.time()), VERIFY_SECONDS))

    async def _send_changes(self, visitor: Visitor, shown: dict[str, Any]) -> float:
        """Send what is not as it was shown; returns until when the figures stay as they are."""

        def look() -> tuple[sharing.Shared, dict[str, Any]] | None:
            shared = sharing.current(self.campaign_id, lambda: _scope(visitor.tenant_id))
            return None if shared is None else (shared, dict(frame(shared, self.reader)))

        result: tuple[sharing.Shared, dict[str, Any]] | None
        result = await database_sync_to_async(look, thread_sensitive=False)()
        if result is None:
            raise Rejected(FORBIDDEN, "the campaign is gone")
        shared, content = result
        parts = {name: part for name, part in content["parts"].items() if shown.get(name) != part}
        changed = parts or any(shown.get(name) != content[name] for name in ("state", "halted", "percent"))
        shown |= {**content, **content["parts"]}
        if self.pings:
            self.pings = 0
            await self._send({"type": "pong"})
        if changed:
            await self._send({"type": "figures", **content, "parts": parts})
        return shared.until

    async def _verified(self) -> Visitor | None:
        verify = database_sync_to_async(visitors.verify, thread_sensitive=False)
        visitor: Visitor | None = await verify(self.handshake, self.campaign_id)
        return visitor

    async def _send(self, content: dict[str, Any]) -> None:
        await asyncio.wait_for(self.send(orjson.dumps(content).decode()), SEND_SECONDS)

    async def _close_with(self, rejection: Rejected) -> None:
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()
        try:
            await self.close(rejection.code, rejection.reason)
        except (RuntimeError, OSError) as error:  # the client closed first
            log.debug("already closed", action="campaigns.socket", error=type(error).__name__)


def _scope(tenant_id: uuid.UUID) -> AbstractContextManager[None]:
    return tenant_scope(tenant_id)


def _next_look() -> float:
    # a random interval, so that sockets that were opened together do not query the database together for ever
    return time.monotonic() + VERIFY_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311


def _reader(query: bytes) -> Reader:
    """The language and the time zone of the page that opened the socket."""
    values = parse_qs(query.decode("latin-1"))
    language = values.get("language", [""])[0]
    if language not in dict(settings.LANGUAGES):
        language = settings.LANGUAGE_CODE
    try:
        return Reader(language, canonical(values.get("zone", ["UTC"])[0]))
    except InvalidInput:
        return Reader(language, "UTC")
