"""The bases of the views of campaigns and audiences."""

from __future__ import annotations

import uuid

from campaigns.edit import campaigns
from campaigns.models import Campaign
from notifier.api.framework.views import TenantView
from notifier.vocabulary.status import Mode
from tenants.access import get_owned


class CampaignsScopeView(TenantView):
    """A view for keys with the scope `campaigns`."""

    scope = "campaigns"


class OneCampaignView(CampaignsScopeView):
    """A view about one campaign."""

    def find(self, campaign_id: uuid.UUID, *, to_change: bool = True) -> Campaign:
        """The tenant's campaign. Raises NotFound, or Conflict when a test key would change a live campaign."""
        rows = Campaign.objects.select_related("tenant", "template__category", "audience")
        campaign = get_owned(rows, self.tenant, pk=campaign_id)
        if to_change:
            campaigns.check_mode(campaign, Mode(self.caller.mode))
        return campaign
