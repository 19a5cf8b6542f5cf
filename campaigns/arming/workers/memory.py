"""A limit on the memory of this process while it arms: the system refuses more, and the worker survives."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS = Path("/proc/self/status")


@contextmanager
def limited_memory(limit: int) -> Iterator[None]:
    """Inside, taking more than `limit` additional bytes raises MemoryError; without this, the system would kill the
    worker. Works on Linux only: other systems do not count these bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = _used() + limit if _STATUS.exists() else resource.RLIM_INFINITY
    finite = [value for value in (allowed, soft, hard) if value != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(finite, default=resource.RLIM_INFINITY), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _used() -> int:
    """Bytes of data that the process has now."""
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
