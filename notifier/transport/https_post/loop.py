"""An event loop in a thread of its own, for a caller that blocks between requests, such as in a database."""

from __future__ import annotations

import asyncio
import ssl
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from notifier.transport.egress import Resolve
from notifier.transport.https_post.post import LIMITS, Answer, Limits, Request, post

#: names that are resolved at once
_NAMES = 128


class PostLoop:
    """Many requests at once. `with` ends the thread; requests that are in flight are cut."""

    def __init__(self, context: ssl.SSLContext, limits: Limits = LIMITS, resolve: Resolve | None = None) -> None:
        self._context, self._limits, self._resolve = context, limits, resolve
        self._loop = asyncio.new_event_loop()
        # a name whose servers do not answer holds a thread for half a minute, and must not hold the other names
        self._loop.set_default_executor(ThreadPoolExecutor(_NAMES, thread_name_prefix="webhook-names"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="webhooks", daemon=True)

    def __enter__(self) -> PostLoop:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def submit(self, request: Request) -> Future[Answer]:
        """Begin a request. The future raises PostFailed."""
        return asyncio.run_coroutine_threadsafe(post(request, self._context, self._limits, self._resolve), self._loop)
