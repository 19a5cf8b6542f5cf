"""Who a campaign is for: segments over recipients and uploaded lists of external ids."""

from campaigns.audience.lists import ListReport, fill, fill_ids, fill_staged, staged
from campaigns.audience.segments import Condition, check
from campaigns.audience.walk import Bounds, count, crowd, sample, slices

__all__ = [
    "Bounds",
    "Condition",
    "ListReport",
    "check",
    "count",
    "crowd",
    "fill",
    "fill_ids",
    "fill_staged",
    "sample",
    "slices",
    "staged",
]
