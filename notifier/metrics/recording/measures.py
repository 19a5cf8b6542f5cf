"""Every metric that processes record, and the functions that record it. docs/metrics.md says what each one means.

No label is an id of a tenant, a recipient, a campaign or an account: a label's values are queues, channels, providers,
statuses and names of tasks, all of which the code bounds.

Costs with METRICS_DIR, by `python -m timeit`, on a busy core: counting 1.5 µs, observing 3.2 µs, after 0.2 µs for the
labels. Therefore what every message passes records once for a claim, a batch of answers, a settlement or a chunk: a
chunk of 500 messages of a shard costs 15 µs, which is 0.03 µs a message.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# it chooses where values are kept, before the first metric is made
from notifier.metrics.recording import directory  # noqa: F401

#: of this process; with METRICS_DIR, a scrape reads the files of all processes instead
REGISTRY = CollectorRegistry()

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(f"notifier_{name}", meaning, labels, registry=REGISTRY)


def _histogram(name: str, meaning: str, buckets: Iterable[float], *labels: str) -> Histogram:
    return Histogram(f"notifier_{name}", meaning, labels, buckets=tuple(buckets), registry=REGISTRY)


def _gauge(name: str, meaning: str, mode: str, *labels: str) -> Gauge:
    return Gauge(f"notifier_{name}", meaning, labels, registry=REGISTRY, multiprocess_mode=mode)  # type: ignore[arg-type]


# ---- the engine --------------------------------------------------------------------------------------------------

ACCEPTED = _counter("messages_accepted", "Messages accepted by the API, by the queue they leave through", "queue")
ENDED = _counter("messages_ended", "Messages that reached a final status", "queue", "status")
RETRIES = _counter("message_retries", "Attempts that failed and will be repeated", "queue")
CLAIM_SECONDS = _histogram("claim_seconds", "Seconds of a claim that found messages", _FAST, "queue")
CLAIMED = _counter("messages_claimed", "Messages that workers claimed", "queue")
SEND_SECONDS = _histogram("send_seconds", "Seconds from handing over a batch to its last answer", _SLOW, "provider")
SETTLE_SECONDS = _histogram("settle_seconds", "Seconds of writing a set of outcomes", _FAST)
ANSWERS = _counter("provider_answers", "Answers of providers by verdict", "provider", "verdict")
CHUNK_SECONDS = _histogram("shard_write_seconds", "Seconds of a write of a shard's outcomes", _FAST, "channel")

# ---- tasks -------------------------------------------------------------------------------------------------------

TASKS = _counter("tasks", "Celery tasks that ended", "task", "state")
TASK_SECONDS = _counter("task_seconds", "Seconds for which tasks ran", "task")
TASK_SUCCESS = _gauge("task_last_success_timestamp_seconds", "When a task last ended well", "max", "task")
BUSY_SECONDS = _counter("worker_busy_seconds", "Seconds for which workers worked, without listening", "queue")
SLOTS = _gauge("worker_slots", "Tasks that workers can run at once", "livesum", "queue")
BEAT_TICK = _gauge("beat_last_tick_timestamp_seconds", "When beat last sent a task", "max")
#: gauges whose values are times; every gauge of the mode `max` is one
MOMENTS = frozenset({"notifier_task_last_success_timestamp_seconds", "notifier_beat_last_tick_timestamp_seconds"})

# ---- web ---------------------------------------------------------------------------------------------------------

REQUEST_SECONDS = _histogram("http_request_seconds", "Seconds until an answer began", _FAST, "route")
REQUESTS = _counter("http_requests", "Requests that were answered", "route", "status")
GROUP_CALLS = _histogram("group_commit_calls", "Calls that were stored with one transaction", _SIZES, "name")
GROUP_SECONDS = _histogram("group_commit_seconds", "Seconds from a group's turn until it was stored", _FAST, "name")
SOCKETS = _gauge("web_sockets", "Open WebSockets", "livesum")
SOCKET_LIMIT = _gauge("web_sockets_limit", "The most WebSockets of all web processes", "livesum")
FRAMES = _counter("web_frames", "Frames written to WebSockets of inboxes")
LOOP_LAG = _gauge("web_event_loop_lag_seconds", "Seconds for which the slowest event loop is late", "livemax")
REPLICA_LAG = _gauge("postgres_replica_lag_seconds", "Age of what the replica shows, as web sees it", "livemax")
POOL = _gauge("database_pool_connections", "Connections of the web processes' pools", "livesum", "state")

# ---- processes ---------------------------------------------------------------------------------------------------

MEMORY = _gauge("process_resident_bytes", "Resident memory", "livesum", "role")
PROCESSOR = _counter("process_cpu_seconds", "Processor time of the processes", "role")
PROCESSES = _gauge("processes", "Processes that live", "livesum", "role")


# ---- recording: one lookup of a dictionary, then the count ---------------------------------------------------------


@cache
def _labelled_counter(counter: Counter, *labels: str) -> Counter:
    return counter.labels(*labels) if labels else counter


@cache
def _labelled_histogram(histogram: Histogram, *labels: str) -> Histogram:
    return histogram.labels(*labels) if labels else histogram


def count(counter: Counter, amount: float, *labels: str) -> None:
    """1.7 µs."""
    if amount:
        _labelled_counter(counter, *labels).inc(amount)


def observe(histogram: Histogram, value: float, *labels: str) -> None:
    """3.4 µs."""
    _labelled_histogram(histogram, *labels).observe(value)


def record_claim(queue: str, rows: int, seconds: float) -> None:
    """A claim; one without rows is not worth its cost."""
    if rows:
        count(CLAIMED, rows, queue)
        observe(CLAIM_SECONDS, seconds, queue)


def record_answers(provider: str, verdicts: Iterable[object]) -> None:
    """Verdicts of one provider: 0.05 µs for each, and 1.7 µs for each kind of verdict among them."""
    for kind, number in Tally(map(type, verdicts)).items():
        count(ANSWERS, number, provider, _verdict_name(kind))


def record_sent(provider: str, number: int) -> None:
    """Plain answers of a shard's batch, which have no verdict object each."""
    count(ANSWERS, number, provider, "sent")


@cache
def _verdict_name(kind: type) -> str:
    """`InDoubt`: in_doubt."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__).lstrip("_")


def record_ended(queue: str, statuses: Mapping[str, int]) -> None:
    """Messages that reached a final status."""
    for status, number in statuses.items():
        count(ENDED, number, queue, status)
