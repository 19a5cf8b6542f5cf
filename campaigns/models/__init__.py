"""The rows of campaigns: `audiences`, `campaigns`, `approvals`, `shards` (of an armed campaign), `schedules`,
`reports`, `variants` (A/B tests). All packages of campaigns import them; they import the rows of the engine and of
tenants, and `campaigns.wall_clock`."""

from campaigns.models.approvals import CampaignApproval
from campaigns.models.audiences import Audience, AudienceMember
from campaigns.models.campaigns import Campaign, Passed, Rollout
from campaigns.models.reports import CampaignReport
from campaigns.models.schedules import CatchUp, Schedule, ScheduleSlot
from campaigns.models.shards import AudienceRange, Shard, ShardPayload
from campaigns.models.variants import CampaignVariant, Choice, Experiment, Metric, Otherwise

__all__ = [
    "Audience",
    "AudienceMember",
    "AudienceRange",
    "Campaign",
    "CampaignApproval",
    "CampaignReport",
    "CampaignVariant",
    "CatchUp",
    "Choice",
    "Experiment",
    "Metric",
    "Otherwise",
    "Passed",
    "Rollout",
    "Schedule",
    "ScheduleSlot",
    "Shard",
    "ShardPayload",
]
