"""Campaigns in the admin: audiences, campaigns from draft to report, schedules, shards.

Django's autodiscovery imports this package, which registers the pages. The pages call `edit`, `lifecycle.controls`,
`preflight` and `report`. Read `base`, then `campaign/page` (the panel of a campaign), `launch/` (the steps to GO and
the buttons), `report/`, `variants/`, `audience/`, `schedules`, `approvals`, `shard`. `home/`, `find` and
`template_uses` are what campaigns show on pages of others: `campaigns.apps` registers them.
docs/how-to/adding-an-admin-page.md says how to add a page.
"""

from campaigns.admin.approvals import ApprovalAdmin
from campaigns.admin.audience import AudienceAdmin
from campaigns.admin.campaign.page import CampaignAdmin
from campaigns.admin.schedules import ScheduleAdmin
from campaigns.admin.shard import ShardAdmin
from campaigns.models import Audience, Campaign, CampaignApproval, Schedule, Shard
from tenants.admin import admin_site

admin_site.register(Campaign, CampaignAdmin)
admin_site.register(CampaignApproval, ApprovalAdmin)
admin_site.register(Audience, AudienceAdmin)
admin_site.register(Schedule, ScheduleAdmin)
admin_site.register(Shard, ShardAdmin)
