"""HTTP/2 by hand where the far end speaks it, libcurl where it speaks HTTP/1.1 only."""

from __future__ import annotations

from notifier.transport.base import CONNECTIONS
from notifier.transport.h2.client import H2Wire
from notifier.transport.h2.runs import Run
from notifier.transport.jobs import Job
from notifier.transport.pooled import PooledWire


class EitherWire(H2Wire):
    def __init__(self, trust: str | None = None, connections: int = CONNECTIONS) -> None:
        super().__init__(trust, connections)
        self._other = PooledWire.here(trust, connections)

    def no_h2(self, run: Run) -> None:
        self._other.submit(run.job, run.hand_over(), whole=run.load.whole)

    def retracted(self, job: Job) -> None:
        self._other.retract(job)
