"""The port through which the engine says "there is work". `notifier.tasks` plugs Celery in; a lost ring costs a
second, because the sweep rings again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

_ringer: Callable[[str], None] | None = None


def register_notifier(ringer: Callable[[str], None]) -> None:
    """Plug in what carries a ring to the workers of a queue."""
    global _ringer
    _ringer = ringer


def notify(queues: Iterable[str]) -> None:
    """Wake the workers of these queues."""
    if _ringer is not None:
        for queue in sorted(set(queues)):
            _ringer(queue)
