"""What was counted of a campaign: one row, because counting millions of messages takes longer than a page may take."""

from __future__ import annotations

from django.db import models

from campaigns.models.campaigns import Campaign
from tenants.models import TenantOwned


class CampaignReport(TenantOwned):
    """The counts of a large campaign, as of `computed_at`. A task counts anew when a report is asked for that is old
    (campaigns.report.stored). Reports of small campaigns are counted in the request and have no row."""

    campaign = models.OneToOneField(Campaign, on_delete=models.CASCADE, related_name="+")
    #: null until the first count is done
    computed_at = models.DateTimeField(null=True)
    #: how long counting took: a report that takes longer is counted less often
    seconds = models.FloatField(default=0)
    #: when the task was posted last
    requested_at = models.DateTimeField(null=True)
    #: campaigns.report.report_json, and what other rooms count (campaigns.report.stored.register_count)
    content = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"report of {self.campaign_id}"
