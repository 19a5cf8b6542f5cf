"""The campaign road in the admin: audiences, campaigns from draft to report, shards."""

from campaigns.admin.audience import AudienceAdmin
from campaigns.admin.campaign import CampaignAdmin
from campaigns.admin.shard import ShardAdmin
from campaigns.models import Audience, Campaign, Shard
from notifier.admin import sent
from tenants.admin import admin_site

sent.armed_ms.append(
    lambda campaign: Campaign.objects.filter(pk=campaign).values_list("first_armed_ms", flat=True).first()
)

admin_site.register(Campaign, CampaignAdmin)
admin_site.register(Audience, AudienceAdmin)
admin_site.register(Shard, ShardAdmin)
