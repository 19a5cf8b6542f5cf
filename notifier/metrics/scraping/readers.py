"""What reads facts of the installation. A package above registers readers of its own tables in `AppConfig.ready`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from tenants.access import EVERY_TENANT, set_scope

#: PostgreSQL stops a statement of a scrape after so many milliseconds
STATEMENT_MS = 2_000
#: rows of an index that a statement counts at most, for each channel
MOST_COUNTED = 100_000

#: makes metrics; runs in a transaction that sees every tenant
Reader = Callable[[], Iterable[Metric]]
_readers: list[Reader] = []


def register(reader: Reader) -> None:
    """Let each scrape read these facts as well: in a bounded number of statements, each of which reads an index."""
    if reader not in _readers:
        _readers.append(reader)


def read_database(own: Sequence[Reader]) -> list[Metric]:
    """The facts of the engine's own readers and of the registered ones, in one transaction. Raises django.db.Error."""
    with transaction.atomic():
        if settings.DATABASE_ROLE == "web":
            set_scope(EVERY_TENANT)
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS}")
        return [metric for reader in (*own, *_readers) for metric in reader()]


def rows(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def gauge(name: str, meaning: str, labels: Sequence[str], values: Iterable[tuple[Any, ...]]) -> GaugeMetricFamily:
    """A metric; each of `values` has its labels first, and its value last."""
    family = GaugeMetricFamily(f"notifier_{name}", meaning, labels=labels)
    for *of, value in values:
        family.add_metric([str(label) for label in of], float(value))
    return family


def single(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    """A metric without labels."""
    return gauge(name, meaning, (), [(value,)])
