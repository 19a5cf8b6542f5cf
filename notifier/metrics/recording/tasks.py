"""What Celery's signals tell about tasks, workers and beat. `notifier.celery` connects them."""

from __future__ import annotations

import threading
import time
from typing import Any

from celery import signals

from notifier.metrics.recording import idle, measures, process

#: of the tasks that run now, by thread: (when the task began, seconds of listening then)
_begun: dict[int, tuple[float, float]] = {}


def connect() -> None:
    """Record tasks of this process, and of its forks."""
    signals.celeryd_after_setup.connect(_remember_queue, weak=False)
    signals.worker_ready.connect(_worker_is_ready, weak=False)
    signals.worker_process_init.connect(_child_begins, weak=False)
    signals.task_prerun.connect(_task_begins, weak=False)
    signals.task_postrun.connect(_task_ends, weak=False)
    signals.beat_init.connect(_beat_begins, weak=False)


#: the queue of this worker
_queue = ""


def _remember_queue(instance: Any = None, **_: object) -> None:
    global _queue
    _queue = ",".join(sorted(instance.app.amqp.queues.consume_from))


def _worker_is_ready(sender: Any = None, **_: object) -> None:
    """A worker whose pool has threads; those of a pool of processes measure themselves."""
    pool = sender.pool
    if "prefork" not in type(pool).__module__:
        measures.SLOTS.labels(_queue).set(pool.num_processes if hasattr(pool, "num_processes") else pool.limit)
        process.start(f"worker {_queue}")


def _child_begins(**_: object) -> None:
    measures.SLOTS.labels(_queue).set(1)
    process.start(f"worker {_queue}")


def _beat_begins(**_: object) -> None:
    signals.before_task_publish.connect(_beat_sends, weak=False)
    process.start("beat")


def _beat_sends(**_: object) -> None:
    measures.BEAT_TICK.set(time.time())


def _task_begins(**_: object) -> None:
    _begun[threading.get_ident()] = (time.monotonic(), idle.seconds())


def _task_ends(sender: Any = None, state: str = "", **_: object) -> None:
    began, listened = _begun.pop(threading.get_ident(), (time.monotonic(), idle.seconds()))
    seconds = time.monotonic() - began
    measures.count(measures.TASKS, 1, sender.name, str(state).lower())
    measures.count(measures.TASK_SECONDS, seconds, sender.name)
    measures.count(measures.BUSY_SECONDS, max(0.0, seconds - (idle.seconds() - listened)), _queue)
    if state == "SUCCESS":
        measures.TASK_SUCCESS.labels(sender.name).set(time.time())
