"""What is deleted with time, as packages register it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from notifier.vocabulary.load import Work
from tenants.load_shedding import may_run
from tenants.retention.periods import Cutoffs

#: rows that one transaction deletes at most
BATCH = 1_000


@dataclass(frozen=True)
class Amount:
    """Rows of one table, and the bytes that their values take."""

    table: str
    rows: int = 0
    size: int = 0


@dataclass
class Pace:
    """How far one run goes: it ends when its seconds are used up, or when load is shed. The next run goes on."""

    seconds: float = 60.0
    batch: int = BATCH
    began: float = field(default_factory=time.monotonic)

    def may_go_on(self) -> bool:
        """Ask before each transaction."""
        return time.monotonic() - self.began < self.seconds and may_run(Work.DELETIONS)


class Remover(Protocol):
    """Deletes one kind of data of one tenant. Each call of `remove` deletes in transactions of `pace.batch` rows, asks
    `pace` before each, and may be killed at any time."""

    @property
    def name(self) -> str:
        """For logs."""

    def preview(self, cutoffs: Cutoffs) -> Iterator[Amount]:
        """What `remove` would delete now."""

    def remove(self, cutoffs: Cutoffs, pace: Pace) -> int:
        """Delete; returns how many rows."""


_removers: list[Remover] = []
_preparations: list[Callable[[list[Cutoffs], Pace], None]] = []


def register(remover: Remover) -> None:
    """Call it in `AppConfig.ready`. Removers run in the order of their registration."""
    _removers.append(remover)


def register_preparation(prepare: Callable[[list[Cutoffs], Pace], None], *, first: bool = False) -> None:
    """`prepare` runs before all removers, with the cutoffs of all tenants: it keeps counts (`first`), drops
    partitions."""
    _preparations.insert(0 if first else len(_preparations), prepare)


def removers() -> list[Remover]:
    return list(_removers)


def preparations() -> list[Callable[[list[Cutoffs], Pace], None]]:
    return list(_preparations)
