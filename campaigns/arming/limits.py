"""What arming may take of a worker: one object, so that tests and large installations can pass another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ArmingLimits:
    """Limits for one range of an audience, which is armed in one transaction."""

    #: audience entries of a range: some 30 MB in memory while it is armed, a third of a second of work
    range_size: int = 10_000
    #: processor seconds for a range: at the start, and for each recipient. An ordinary recipient takes 0.026 ms, and
    #: with ten conditions 0.1 ms. Ten thousand recipients at the limit take 22 s, in which other tenants wait for this
    #: process
    cpu_seconds: float = 2.0
    cpu_seconds_per_recipient: float = 0.002
    #: processor seconds of a range up to which a campaign may have every process: ten thousand recipients of an
    #: ordinary template take 0.3, so a tenant that begins meanwhile soon has the next turn
    quick_cpu_seconds: float = 2.0
    #: bytes that arming may add to a process; a range of ten thousand recipients takes some 30 MB
    memory: int = 1 << 30


LIMITS = ArmingLimits()
