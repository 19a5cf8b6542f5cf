"""The outermost ASGI application: it answers /metrics, and measures each answer.

A scrape does not come through Django's handler, so that it is answered while all its threads are busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from notifier.metrics.recording import measures, process
from notifier.metrics.scraping.exporter import PATH
from notifier.metrics.scraping.guard import refusal
from notifier.metrics.scraping.scrape import CONTENT_TYPE, scraper
from notifier.web import limits
from notifier.web.protocols.sockets import BoundedWebSocket
from notifier.web.serving.bodies import Receive, Scope
from notifier.web.serving.direct import Application, Send

#: routes by the beginning of the path, the longest first
_ROUTES = (
    ("/v1/notifications/bulk", "bulk"),
    ("/v1/notifications", "notifications"),
    ("/v1/receipts/", "receipts"),
    ("/v1/inbox/", "inbox"),
    ("/v1/", "api"),
    ("/admin/", "admin"),
    ("/static/", "static"),
    ("/healthz", "health"),
    ("/readyz", "health"),
    ("/status.json", "health"),
)
ROUTES = frozenset({*(name for _, name in _ROUTES), "accept", "page"})


def route_of(method: str, path: str) -> str:
    """The class of an address: one of ROUTES, whatever a client asks for. 0.6 µs."""
    if method == "POST" and path == "/v1/notifications":
        return "accept"
    return next((name for start, name in _ROUTES if path.startswith(start)), "page")


class Metered:
    """Wraps the application that answers everything else. A request costs 4 µs more by being measured, 2 µs
    of them for the histogram."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif scope["path"] == PATH:
            await _answer_scrape(scope, send)
        else:
            await self._application(scope, receive, _measured(scope, send))


def _measured(scope: Mapping[str, Any], send: Send) -> Send:
    route, began = route_of(scope["method"], scope["path"]), time.perf_counter()

    async def measure(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            measures.observe(measures.REQUEST_SECONDS, time.perf_counter() - began, route)
            measures.count(measures.REQUESTS, 1, route, str(message["status"]))
        await send(message)

    return measure


async def _answer_scrape(scope: Mapping[str, Any], send: Send) -> None:
    address = scope["client"][0] if scope.get("client") else None
    status = refusal(address, dict(scope["headers"])) or (200 if scope["method"] == "GET" else 405)
    text = await asyncio.get_running_loop().run_in_executor(None, scraper.text) if status == 200 else b""
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", str(len(text)).encode())]
    headers += [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


class WebGauges:
    """What the process's thread measures of itself every two seconds (`notifier.web.load_meter`)."""

    def __init__(self) -> None:
        self._frames = 0
        process.start("web")

    def measure(self, loop_lag: float) -> None:
        measures.LOOP_LAG.set(loop_lag)
        measures.SOCKETS.set(BoundedWebSocket.count)
        measures.SOCKET_LIMIT.set(limits.SOCKETS_SHARE * limits.max_connections())
        frames = BoundedWebSocket.frames_written
        measures.count(measures.FRAMES, frames - self._frames)
        self._frames = frames
        self._measure_pool()

    def _measure_pool(self) -> None:
        try:
            pool = connection.pool  # type: ignore[attr-defined]
        except ImproperlyConfigured:
            return
        if pool is None:
            return
        stats = pool.get_stats()
        size, available = stats.get("pool_size", 0), stats.get("pool_available", 0)
        measures.POOL.labels("used").set(size - available)
        measures.POOL.labels("idle").set(available)
        measures.POOL.labels("limit").set(settings.WEB_DATABASE_POOL)
        measures.POOL.labels("waiting").set(stats.get("requests_waiting", 0))
