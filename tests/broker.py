"""What this process publishes for Celery's workers, recorded as it goes to the real broker. No worker runs: the fixture
takes each message off its queue again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from celery.signals import after_task_publish
from pytest_django import Settings

from notifier.delivery.infra import redis


@dataclass(frozen=True)
class Published:
    """One message."""

    task: str
    args: tuple[Any, ...]
    queue: str
    #: the chord that the task is a part of
    group: str | None = None


@dataclass
class Broker:
    """Messages in the order in which they were published. Every queue is empty, and stays so."""

    published: list[Published] = field(default_factory=list)
    #: task -> a worker that runs it at once
    workers: dict[str, Callable[..., object]] = field(default_factory=dict)

    def receive(self, sender: str, headers: dict[str, Any], body: Any, routing_key: str, **_: Any) -> None:
        """A receiver of Celery's signal `after_task_publish`."""
        args = tuple(body[0])
        redis.client().delete(routing_key)
        self.published.append(Published(sender, args, routing_key, headers.get("group")))
        if sender in self.workers:
            self.workers[sender](*args)

    @property
    def tasks(self) -> list[str]:
        return [message.task for message in self.published]

    def take(self, task: str) -> list[str]:
        """The first arguments of this task's messages. Forgets all messages."""
        arguments = [str(message.args[0]) for message in self.published if message.task == task]
        self.published.clear()
        return arguments


@pytest.fixture
def broker() -> Iterator[Broker]:
    redis.client().flushdb()  # what other tests left in the queues
    recorder = Broker()
    after_task_publish.connect(recorder.receive, weak=False)
    yield recorder
    after_task_publish.disconnect(recorder.receive)


@pytest.fixture
def redis_away(settings: Settings) -> Iterator[Callable[[], None]]:
    """Call it, and from then on Redis is away: the settings name a port on which nothing listens."""
    url = settings.REDIS_URL

    def go_away() -> None:
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        redis.reset()

    yield go_away
    settings.REDIS_URL = url
    redis.reset()
