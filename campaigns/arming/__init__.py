"""Arm: everything that can fail fails here. Freeze the audience, plan, render, write the ledger, cut shards.

The audience is cut into slices of some thousand entries (slices.py). A slice is one transaction of any worker, so
memory stays flat, progress shows, and a crash leaves the slice to the next (run.py).
"""

from campaigns.arming.locks import at_work
from campaigns.arming.request import clear, clear_disarmed, disarm, id_range, request_arm
from campaigns.arming.run import arm, arm_ranges, begin

__all__ = [
    "arm",
    "arm_ranges",
    "at_work",
    "begin",
    "clear",
    "clear_disarmed",
    "disarm",
    "id_range",
    "request_arm",
]
