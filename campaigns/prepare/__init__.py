"""Arm: everything that can fail fails here. Freeze the audience, plan, render, write the ledger, cut shards.

The audience is cut into slices of some thousand entries (slices.py). A slice is one transaction of any worker, so
memory stays flat, progress shows, and a crash leaves the slice to the next (run.py).
"""

from campaigns.prepare.locks import at_work
from campaigns.prepare.request import clear, clear_disarmed, disarm, id_range, request_arm
from campaigns.prepare.run import arm, arm_slices, begin

__all__ = [
    "arm",
    "arm_slices",
    "at_work",
    "begin",
    "clear",
    "clear_disarmed",
    "disarm",
    "id_range",
    "request_arm",
]
