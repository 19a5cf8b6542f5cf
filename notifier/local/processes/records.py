"""Records of the processes that a folder's stack has started, one small file each, so that a later run can end them."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from notifier.local.processes import pids


@dataclass(frozen=True)
class Record:
    """One started process, the leader of its process group. A larger `stop_order` stops first; servers have 0."""

    pid: int
    started_at: str
    stop_signal: int = signal.SIGTERM
    grace: float = 10.0
    stop_order: int = 1

    @property
    def alive(self) -> bool:
        return pids.started_at(self.pid) == self.started_at


def path_of(folder: Path, name: str) -> Path:
    return folder / "run" / f"{name.replace(':', '-')}.json"


def write(folder: Path, name: str, record: Record) -> None:
    path = path_of(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(asdict(record)))
    new.replace(path)


def remove(folder: Path, name: str) -> None:
    path_of(folder, name).unlink(missing_ok=True)


def sweep(folder: Path) -> int:
    """End every recorded process that still runs: send its stop signal, wait, then kill its group. Returns their
    number."""
    recorded = {path: _read(path) for path in sorted(folder.glob("run/*.json"))}
    alive = [record for record in recorded.values() if record is not None and record.alive]
    for stop_order in sorted({record.stop_order for record in alive}, reverse=True):
        _end_processes([record for record in alive if record.stop_order == stop_order])
    for path in recorded:
        path.unlink(missing_ok=True)
    return len(alive)


def _end_processes(records: list[Record]) -> None:
    for record in records:
        _signal_leader(record)
    left = pids.wait_until_gone([record.pid for record in records], max(record.grace for record in records))
    for group in left:
        pids.kill_group(group)


def _signal_leader(record: Record) -> None:
    """Signal the leader only, which ends its own children."""
    try:
        os.kill(record.pid, record.stop_signal)
    except ProcessLookupError:
        return


def _read(path: Path) -> Record | None:
    try:
        return Record(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
