"""/healthz: the process answers. /readyz: the process can work, else 503 with the names of the failed checks; and
whether load is shed, which is no failure."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.db import Error, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from notifier.delivery.infra import redis
from tenants.database import signed_settings
from tenants.load_shedding import current_level

log = structlog.get_logger("notifier.web.health")
_migrated = False


@never_cache
@transaction.non_atomic_requests
def alive(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@never_cache
@transaction.non_atomic_requests
def ready(request: HttpRequest) -> JsonResponse:
    """The answer names the checks; only the log has the reason of a failure."""
    results = {name: _try(name, check) for name, check in CHECKS.items()}
    status = "ok" if all(results.values()) else "unavailable"
    checks = {name: "ok" if passed else "unavailable" for name, passed in results.items()}
    body = {"status": status, "checks": checks, "load": _load()}
    return JsonResponse(body, status=200 if status == "ok" else 503)


def _load() -> str:
    try:
        return current_level().value
    except Error as error:
        log.warning("load level not read", action="readyz", error=type(error).__name__)
        return "unknown"


def _try(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception as error:  # whatever the error, the process is not ready
        log.warning("not ready", action="readyz", check=name, error=type(error).__name__)
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def _redis() -> bool:
    with redis.connect(socket_timeout=2, socket_connect_timeout=2) as client:
        return bool(client.ping())


def _migrations() -> bool:
    """Checked until it succeeds once: migrations are not reverted under a running process."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def reset() -> None:
    """Forget that the migrations check has succeeded."""
    global _migrated
    _migrated = False


def _signature() -> bool:
    """Whether the database accepts the settings that the web process signs. This needs the SECRET_KEY of the last
    `migrate` and clocks that agree."""
    return signed_settings.is_accepted()


CHECKS: dict[str, Callable[[], bool]] = {
    "database": _database,
    "redis": _redis,
    "migrations": _migrations,
    "signature": _signature,
}
