"""The text of a scrape. Facts are believed for some seconds, so that ten scrapers cost as one; they are read by one
thread, for which a scrape waits so long at most as it may take."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass, field

import structlog
from django.db import Error, connection
from prometheus_client import CollectorRegistry, Metric, exposition

from notifier.delivery.infra import redis
from notifier.metrics.recording import directory, measures
from notifier.metrics.scraping.accounts import read_accounts
from notifier.metrics.scraping.ledger import read_ledger
from notifier.metrics.scraping.readers import gauge, read_database, single
from notifier.metrics.scraping.servers import read_postgres, read_redis

log = structlog.get_logger("notifier.metrics")

CONTENT_TYPE = exposition.CONTENT_TYPE_PLAIN_0_0_4
#: seconds for which facts are believed
BELIEVED_SECONDS = 5.0
#: seconds that a scrape waits for facts: Prometheus gives a scrape 10 by default
WAIT_SECONDS = 4.0
SOURCES = ("postgresql", "redis", "processes")


@dataclass(frozen=True)
class Facts:
    """What was read; `failed`: the sources that did not answer."""

    metrics: list[Metric] = field(default_factory=list)
    failed: frozenset[str] = frozenset()


class Scraper:
    """One for each process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scrape")
        self._reading: Future[Facts] | None = None
        self._read_at = 0.0

    def text(self, *, installation: bool = True) -> bytes:
        """The answer to a scrape. `installation`: with the facts of the installation."""
        began = time.monotonic()
        facts = self._facts() if installation else Facts()
        metrics, failed = list(facts.metrics), set(facts.failed)
        if directory.gave_up():
            failed.add("processes")
        try:
            metrics += _recorded()
        except (OSError, ValueError, RuntimeError) as error:
            failed.add("processes")
            _log("processes", error)
        sources = [source for source in SOURCES if installation or source == "processes"]
        ok = [(source, source not in failed) for source in sources]
        metrics.append(gauge("scrape_ok", "1 if the source answered this scrape", ("source",), ok))
        metrics.append(single("scrape_seconds", "Seconds that this scrape took", time.monotonic() - began))
        return exposition.generate_latest(_Collected(metrics))

    def _facts(self) -> Facts:
        """Those of the last seconds, else new ones. Facts that do not come in time are those of no source."""
        with self._lock:
            is_old = time.monotonic() - self._read_at > BELIEVED_SECONDS
            if self._reading is None or (self._reading.done() and is_old):
                self._reading, self._read_at = self._thread.submit(_read), time.monotonic()
            reading = self._reading
        try:
            return reading.result(WAIT_SECONDS)
        except TookTooLong as error:
            _log("postgresql", error)
        except Exception:
            # whatever the error, Prometheus must learn of it, and get what the processes recorded
            log.exception("unexpected error", action="scrape")
        return Facts(failed=frozenset(SOURCES[:2]))

    def reset(self) -> None:
        """Read anew at the next scrape."""
        with self._lock:
            self._read_at = -BELIEVED_SECONDS


class _Collected(CollectorRegistry):
    def __init__(self, metrics: list[Metric]) -> None:
        super().__init__()
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _recorded() -> list[Metric]:
    folder = directory.folder_in_use()
    metrics = list(measures.REGISTRY.collect()) if folder is None else directory.read(folder)
    for metric in metrics:
        if metric.name in measures.MOMENTS:
            # of a clock that was ahead: an alert computes with its age
            metric.samples = [sample._replace(value=min(sample.value, time.time())) for sample in metric.samples]
    return metrics


def _read() -> Facts:
    """In the thread."""
    metrics: list[Metric] = []
    failed = set()
    try:
        metrics += read_database([read_ledger, read_accounts, read_postgres])
    except Error as error:
        failed.add("postgresql")
        _log("postgresql", error)
    finally:
        connection.close()
    try:
        metrics += read_redis()
    except redis.Unavailable as error:
        failed.add("redis")
        _log("redis", error)
    return Facts(metrics, frozenset(failed))


def _log(source: str, error: Exception) -> None:
    log.warning("facts not read", action="scrape", source=source, error=type(error).__name__, why=str(error)[:200])


#: of this process
scraper = Scraper()
