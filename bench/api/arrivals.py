"""Waits until a sink has received certain messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from bench.load.result import LoadResult
from bench.load.spec import LoadSpec
from bench.tenants import BenchTenant

#: seconds for everything that was accepted to arrive
TIMEOUT = 120.0
POLL = 0.2
#: id of the delivery -> Unix time of its arrival
Arrivals = dict[str, float]


def load_spec(tenant: BenchTenant, **values: Any) -> LoadSpec:
    """A load on the API of a tenant."""
    return LoadSpec(tenant.api.origin, dict(tenant.api._headers), tenant.size, **values)


def wait_arrivals(look: Callable[[], Arrivals], deliveries: Collection[str]) -> Arrivals:
    """Return when all have arrived, or after TIMEOUT: then some are missing."""
    until = time.monotonic() + TIMEOUT
    while True:
        arrived = look()
        if all(delivery in arrived for delivery in deliveries) or time.monotonic() > until:
            return arrived
        time.sleep(POLL)


def missing(name: str, result: LoadResult, arrived: Arrivals) -> list[str]:
    """The problem that an accepted notification did not arrive."""
    lost = sum(delivery not in arrived for delivery in result.begun_at)
    return [f"{name}: of {result.accepted} accepted notifications {lost} did not arrive"] if lost else []


def failed(name: str, result: LoadResult) -> list[str]:
    """The problem that requests failed. An answer that tells the sender to come again later is none."""
    errors = result.errors()
    return [f"{name}: {len(errors)} requests failed, as {errors[0][:200]}"] if errors else []
