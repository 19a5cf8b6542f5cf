"""The checks. Registering again under a name replaces the check of that name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from notifier.doctor.findings import Finding


class Server(StrEnum):
    """What a check needs. While it is away, its checks are skipped: one finding says so."""

    DATABASE = "database"
    REDIS = "redis"


@dataclass(frozen=True)
class Options:
    """`database_folder`: where the database's files are, if this machine sees them. `worker_seconds`: how long workers
    may take to answer. `transaction_seconds`: how long a transaction may be open."""

    database_folder: Path | None = None
    worker_seconds: float = 5.0
    transaction_seconds: float = 600.0


DEFAULTS = Options()
Run = Callable[[Options], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """`proves`: a finding of this check means that the server is away."""

    name: str
    run: Run
    needs: frozenset[Server] = frozenset()
    proves: Server | None = None


_checks: dict[str, Check] = {}


def register(name: str, run: Run, *needs: Server, proves: Server | None = None) -> None:
    """Add a check. Checks run in the order of registration."""
    _checks[name] = Check(name, run, frozenset(needs), proves)


def all_checks() -> list[Check]:
    return list(_checks.values())
