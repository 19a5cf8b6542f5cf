"""A worker goes on after Redis did not answer its acknowledgement."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings
from kombu import Connection, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import TimeoutError as RedisTimeout

from notifier.celery import app
from notifier.delivery.infra import redis
from tests.flows.wait import until

#: seconds for which Redis answers nothing, and after which the consumer's call fails
FROZEN, PATIENCE = 1.5, 0.3


def receive(connection: Connection, got: list[Any], number: int) -> None:
    def arrived() -> bool:
        # nothing came, or Redis is still frozen
        with suppress(TimeoutError, OperationalError, RedisTimeout):
            connection.drain_events(timeout=0.2)
        return len(got) >= number

    until(arrived, f"task {number}")


@pytest.mark.parametrize("answer", [lambda m: m.ack(), lambda m: m.reject()], ids=["ack", "reject"])
def test_a_task_whose_acknowledgement_fails_keeps_no_place(answer: Callable[[Any], None]) -> None:
    assert app.conf.worker_prefetch_multiplier == 1
    options = {"socket_timeout": PATIENCE, "socket_connect_timeout": 5}
    got: list[Any] = []
    with Connection(settings.REDIS_URL, transport_options=options) as connection:
        channel = connection.default_channel
        queue = Queue("acknowledgements", channel=channel)
        producer = connection.Producer()
        for number in (1, 2):
            producer.publish({"number": number}, routing_key=queue.name)
        consumer = connection.Consumer([queue], callbacks=[lambda body, message: got.append(message)])
        consumer.qos(prefetch_count=1)
        with consumer:
            receive(connection, got, 1)
            redis.client().client_pause(int(FROZEN * 1000))
            with pytest.raises((RedisTimeout, OperationalError)):
                answer(got[0])
            receive(connection, got, 2)
            got[1].ack()
    assert [message.payload["number"] for message in got] == [1, 2]
