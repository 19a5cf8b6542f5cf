"""Who a campaign is for: segments over recipients and uploaded lists of external ids."""

from campaigns.audience.lists import ListReport, fill, fill_ids
from campaigns.audience.segments import Condition, check
from campaigns.audience.walk import AudiencePage, count, pages, sample

__all__ = ["AudiencePage", "Condition", "ListReport", "check", "count", "fill", "fill_ids", "pages", "sample"]
