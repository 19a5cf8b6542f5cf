"""The port through which the engine wakes workers. `AppConfig.ready` registers what posts (`notifier.tasks`), so the
engine knows no Celery. A lost wakeup costs a second: the sweep notifies again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

_notify_queue: Callable[[str], None] | None = None


def register_notifier(notify_queue: Callable[[str], None]) -> None:
    """Register what wakes the workers of one queue."""
    global _notify_queue
    _notify_queue = notify_queue


def notify(queues: Iterable[str]) -> None:
    """Wake the workers of these queues."""
    if _notify_queue is not None:
        for queue in sorted(set(queues)):
            _notify_queue(queue)
