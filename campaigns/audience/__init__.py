"""Who a campaign is for: segments over recipients and uploaded lists of external ids."""

from campaigns.audience.lists import ListReport, fill, fill_ids, fill_staged, staged
from campaigns.audience.segments import Condition, check
from campaigns.audience.walk import Bounds, count, ranges, recipients, sample

__all__ = [
    "Bounds",
    "Condition",
    "ListReport",
    "check",
    "count",
    "fill",
    "fill_ids",
    "fill_staged",
    "ranges",
    "recipients",
    "sample",
    "staged",
]
