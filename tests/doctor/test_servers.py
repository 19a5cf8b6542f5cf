"""Redis or Valkey, workers and beat."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django.fixtures import Settings

from notifier.channels.queues import queues
from notifier.delivery.infra import redis
from notifier.doctor import broker, processes
from notifier.doctor.registry import Options
from notifier.local.servers.ports import free_port
from tests.doctor.conftest import Look


@pytest.fixture
def limited() -> Iterator[None]:
    """The tests' Valkey with a limit of memory, and a policy that drops keys."""
    client = redis.client()
    before = {**client.config_get("maxmemory"), **client.config_get("maxmemory-policy")}
    client.config_set("maxmemory", 10**12)
    client.config_set("maxmemory-policy", "allkeys-lru")
    yield
    for name, value in before.items():
        redis.client().config_set(str(name), str(value))


@pytest.mark.parametrize("name", ["redis", "server of Redis", "queues"])
def test_a_healthy_redis_has_no_finding(name: str, look: Look) -> None:
    assert look(name) == []


def test_a_redis_that_is_away(look: Look, settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    redis.reset()
    assert look("redis") == ["error redis: Redis cannot be reached (ConnectionError)."]


def test_a_policy_that_drops_tasks(look: Look, limited: None) -> None:
    assert look("server of Redis") == ["error redis-policy: maxmemory-policy is allkeys-lru."]


@pytest.mark.parametrize(
    ("info", "codes"),
    [
        pytest.param({"redis_version": "7.2.4"}, [], id="Redis 7"),
        pytest.param({"redis_version": "6.2.14"}, ["redis-version"], id="Redis 6"),
        pytest.param({"redis_version": "7.2.4", "valkey_version": "9.1.0"}, [], id="Valkey"),
        pytest.param({"redis_version": "8.0", "maxmemory": 100, "used_memory": 81}, ["redis-memory"], id="full"),
        pytest.param({"redis_version": "8.0", "maxmemory_policy": "allkeys-lru"}, [], id="no limit"),
    ],
)
def test_the_server_is_judged(info: dict[str, object], codes: list[str]) -> None:
    assert [finding.kind.code for finding in broker.judge(info)] == codes


def test_a_queue_that_is_too_long(look: Look) -> None:
    redis.client().rpush("sms.bulk", *["task"] * (broker.MOST_TASKS + 1))
    try:
        assert look("queues") == [f"warning long-queue: {broker.MOST_TASKS + 1} tasks wait in the queue sms.bulk."]
    finally:
        redis.client().delete("sms.bulk")


def test_no_worker_at_all(look: Look) -> None:
    assert look("workers", Options(worker_seconds=0.5)) == [
        "error no-worker: No worker of any queue answered within 0 s."
    ]


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        pytest.param(["push"], "No worker of the queue push answered within 5 s.", id="one"),
        pytest.param(["batch", "sms"], "No worker of the queues batch, sms answered within 5 s.", id="two"),
    ],
)
def test_the_queues_without_a_worker_are_named(missing: list[str], text: str) -> None:
    served = set(queues()) - set(missing)
    assert [finding.text for finding in processes.judge_queues(served, sorted(queues()), 5.0)] == [text]


def test_a_beat_that_never_ran(look: Look) -> None:
    assert look("beat") == ["error no-beat: Beat has never run."]


def test_a_beat_that_stopped(look: Look) -> None:
    interval = IntervalSchedule.objects.create(every=1, period="seconds")
    task = PeriodicTask.objects.create(name="sweep", task="x", interval=interval)
    assert look("beat") == []
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    PeriodicTask.objects.filter(pk=task.pk).update(last_run_at=hour_ago, date_changed=hour_ago)
    assert look("beat") == [f"error no-beat: Beat has sent nothing since {hour_ago:%Y-%m-%d %H:%M} UTC."]
