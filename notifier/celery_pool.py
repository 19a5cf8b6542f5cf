"""A pool of threads in the worker's own process: a process less for each worker than Celery's `prefork`.

`celery worker --pool custom` uses it with CELERY_CUSTOM_WORKER_POOL=notifier.celery_pool:ThreadPool. A worker that
listens to a provider or to the database leaves the interpreter to the consumer, which answers Flower meanwhile.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery.concurrency import thread
from kombu.asynchronous.hub import Hub


class ThreadPool(thread.TaskPool):
    """Celery's pool of threads acknowledges a task when the consumer looks up the next time, up to a second later, and
    takes no other task before. This one wakes the consumer when a task has ended."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)

    def register_with_event_loop(self, hub: Hub) -> None:
        """Called by Celery each time the consumer's loop starts."""
        hub.add_reader(self._woken, self._read)

    def on_apply(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        callback: Callable[..., Any] | None = None,
        accept_callback: Callable[..., Any] | None = None,
        **options: Any,
    ) -> Any:
        # Celery calls `callback` without asking whether there is one
        result: Any = super().on_apply(target, args, kwargs, callback or _ignore, accept_callback, **options)
        result.f.add_done_callback(self._wake_consumer)
        return result

    def _wake_consumer(self, _: object) -> None:
        with suppress(BlockingIOError):  # full: the consumer wakes anyway
            self._wake.send(b"\0")

    def _read(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)


def _ignore(result: object) -> None:
    """For a call whose result nothing needs."""
