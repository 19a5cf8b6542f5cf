"""The ASGI application within `notifier.web.metrics` and around all others: it reports how long acceptance takes, and
answers /status.json from memory.

A thread reports to Redis every two seconds what `notifier.web.serving.group_commit` measured of single notifications
(`notifier.delivery.load_shedding.reports`), and reads the level of load shedding.

/status.json tells pages of recipients whether to ask seldom. It is answered although PostgreSQL, Redis and all threads
of the process are busy.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Sequence
from statistics import median_low

import orjson
import structlog
from django.db import Error, connection

from notifier.delivery.infra import redis
from notifier.delivery.load_shedding import reports
from notifier.delivery.load_shedding.reports import FRESH_SECONDS, WebReport
from notifier.vocabulary.load import Level
from notifier.web.metrics import WebGauges
from notifier.web.serving.bodies import Receive, Scope
from notifier.web.serving.direct import Application, Send
from notifier.web.serving.group_commit import Owner, Stored, newest_groups
from tenants.load_shedding import read_state

log = structlog.get_logger("notifier.web")

STATUS_PATH = "/status.json"
#: seconds for which browsers and proxies may keep the status: so long do pages go on as before
CACHED_SECONDS = 15
#: seconds after which a page may ask again, at the soonest
ASK_AFTER = {Level.NORMAL: 0, Level.SHEDDING: 60}
#: the GroupCommit of single notifications (`notifier.api.direct`)
_MEASURED = "notifications"
_REPORT_EVERY = 2.0


class LoadMeter:
    """Wraps the application that answers everything else."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._reporter: _Reporter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        if self._reporter is None:
            # here, because a process that forks (WEB_CONCURRENCY) would lose a thread that an import started
            self._reporter = _Reporter(asyncio.get_running_loop())
        if scope["path"] == STATUS_PATH:
            await _send_status(self._reporter.level(time.monotonic()), scope["method"], send)
        else:
            await self._application(scope, receive, send)


async def _send_status(level: Level, method: str, send: Send) -> None:
    content = orjson.dumps({"level": level.value, "ask_after_s": ASK_AFTER[level]})
    is_read = method in ("GET", "HEAD")
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content) if is_read else 0).encode()),
        (b"cache-control", f"public, max-age={CACHED_SECONDS}".encode()),
        # pages of every tenant read it; it says nothing about any tenant
        (b"access-control-allow-origin", b"*"),
        (b"x-content-type-options", b"nosniff"),
        *([] if is_read else [(b"allow", b"GET, HEAD")]),
    ]
    await send({"type": "http.response.start", "status": 200 if is_read else 405, "headers": headers})
    await send({"type": "http.response.body", "body": content if method == "GET" else b""})


class _Reporter:
    """One for each process: its thread reports, and reads the level."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        #: (when it was read, level)
        self._read = (time.monotonic(), Level.NORMAL)
        self._gauges = WebGauges()
        threading.Thread(target=self._run, name="load-meter", daemon=True).start()

    def _run(self) -> None:
        while not self._loop.is_closed():
            for step in (self._read_level, self._report):
                try:
                    step()
                except Exception:
                    # without the thread the process would say `shedding` for as long as it lives
                    log.exception("unexpected error", action="shedding")
            time.sleep(_REPORT_EVERY)

    def _report(self) -> None:
        lag = self._loop_lag()
        self._gauges.measure(lag)
        try:
            reports.write(self._name, report_of(newest_groups(_MEASURED), lag, time.monotonic()))
        except redis.Unavailable as error:
            log.info("load not reported", action="shedding", error=type(error).__name__)

    def level(self, now: float) -> Level:
        return level_at(now, *self._read)

    def _read_level(self) -> None:
        try:
            self._read = (time.monotonic(), read_state().level)
        except Error as error:
            log.info("load level not read", action="shedding", error=type(error).__name__)
        finally:
            connection.close()  # back to the pool

    def _loop_lag(self) -> float:
        """Seconds until the event loop calls back; at most FRESH_SECONDS."""
        called, asked_at = threading.Event(), time.monotonic()
        try:
            self._loop.call_soon_threadsafe(called.set)
        except RuntimeError:  # the process ends
            return 0.0
        called.wait(FRESH_SECONDS)
        return time.monotonic() - asked_at


def level_at(now: float, read_at: float, level: Level) -> Level:
    """What the process says, from what it read and when. SHEDDING when the database has not answered for a while: pages
    that ask seldom help it. Pure."""
    return level if now - read_at <= FRESH_SECONDS else Level.SHEDDING


def report_of(groups: Sequence[Stored], loop_lag: float, now: float) -> WebReport:
    """The report of the groups of the last ten seconds. A tenant counts once, however many groups it has. Pure."""
    recent = [group for group in groups if now - group.at <= FRESH_SECONDS]
    seconds: dict[Owner, list[float]] = {}
    for group in recent:
        seconds.setdefault(group.owner, []).append(group.seconds)
    # of two tenants the faster one: the trouble of one is not the installation's
    accept = median_low(map(_percentile_90, seconds.values())) if seconds else 0.0
    return WebReport(round(accept, 4), sum(group.calls for group in recent), len(seconds), round(loop_lag, 4))


def _percentile_90(seconds: Sequence[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.9)]
