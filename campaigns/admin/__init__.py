"""The campaign road in the admin: audiences, campaigns from draft to report, shards."""

from campaigns.admin.audience import AudienceAdmin
from campaigns.admin.campaign import CampaignAdmin
from campaigns.admin.shard import ShardAdmin
from campaigns.models import Audience, Campaign, Shard
from tenants.admin import admin_site

admin_site.register(Campaign, CampaignAdmin)
admin_site.register(Audience, AudienceAdmin)
admin_site.register(Shard, ShardAdmin)
