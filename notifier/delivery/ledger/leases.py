"""When a lease is over: one rule for the ledger's rows and for the shards of campaigns."""

from __future__ import annotations

from django.conf import settings


def expired(lease_until: str, seconds: str) -> str:
    """SQL: whether the lease that ends at `lease_until` is over. `seconds`: the placeholder of `lease_seconds()`.

    No worker can renew a lease while PostgreSQL restarts, so no lease is over until a whole lease has passed since the
    start of PostgreSQL."""
    started = f"now() > pg_postmaster_start_time() + make_interval(secs => {seconds})"
    return f"({lease_until} < now() AND {started})"


def lease_seconds() -> float:
    """How long a claim or a renewal holds a row or a shard."""
    return float(settings.LEASE_SECONDS)
