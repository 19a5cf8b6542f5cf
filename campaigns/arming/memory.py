"""The last defence against what takes memory while a campaign is armed: the system refuses it to the process."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: what arming may add to a process; a slice of ten thousand people takes some 30 MB
LIMIT_BYTES = 1 << 30
_STATUS = Path("/proc/self/status")


@contextmanager
def limited_memory() -> Iterator[None]:
    """More than MOST is a MemoryError inside, instead of the system's end of the worker. Linux alone counts it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _used() + LIMIT_BYTES if _STATUS.exists() else resource.RLIM_INFINITY
    lower = [value for value in (limit, soft, hard) if value != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(lower, default=resource.RLIM_INFINITY), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _used() -> int:
    """Bytes of data that the process has now."""
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
