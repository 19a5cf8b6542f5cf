"""`/v1/audiences`, `/v1/campaigns` and `/v1/schedules`: for tenants' servers. Keys need the scope `campaigns`; to
approve a campaign, `approvals`.

notifier/urls.py takes `urlpatterns`. The views call `edit`, `lifecycle.controls`, `approval`, `preflight` and
`report`; the shapes of requests and answers are in `shapes`. Read `base`, then `campaigns`, `controls`, `approvals`,
`rehearsal`, `reports`, `explain`, `variants` (with `variants_shapes`), `audiences`, `schedules`.
"""

from __future__ import annotations

from campaigns.api import controls, schedules
from campaigns.api.approvals import ApprovalView, ApproveView, RejectView, WithdrawApprovalView
from campaigns.api.audiences import AudienceMembersView, AudiencesView, AudienceView, FilterCountView
from campaigns.api.campaigns import CampaignResultsView, CampaignsView, CampaignView
from campaigns.api.explain import ExplainCampaignView
from campaigns.api.rehearsal import CampaignPreflightView, CampaignRehearseView, CampaignTestView
from campaigns.api.reports import CampaignCorrectView, CampaignReportView
from campaigns.api.variants import CampaignVariantsView, VariantResultsView
from notifier.api.framework.paths import path

urlpatterns = [
    path("v1/audiences", AudiencesView.as_view()),
    path("v1/audiences/count", FilterCountView.as_view()),
    path("v1/audiences/<id:audience_id>", AudienceView.as_view()),
    path("v1/audiences/<id:audience_id>/members", AudienceMembersView.as_view()),
    path("v1/campaigns", CampaignsView.as_view()),
    path("v1/campaigns/<id:campaign_id>", CampaignView.as_view()),
    path("v1/campaigns/<id:campaign_id>/approval", ApprovalView.as_view()),
    path("v1/campaigns/<id:campaign_id>/approval/approve", ApproveView.as_view()),
    path("v1/campaigns/<id:campaign_id>/approval/reject", RejectView.as_view()),
    path("v1/campaigns/<id:campaign_id>/approval/withdraw", WithdrawApprovalView.as_view()),
    path("v1/campaigns/<id:campaign_id>/preflight", CampaignPreflightView.as_view()),
    path("v1/campaigns/<id:campaign_id>/rehearse", CampaignRehearseView.as_view()),
    path("v1/campaigns/<id:campaign_id>/test", CampaignTestView.as_view()),
    path("v1/campaigns/<id:campaign_id>/explain", ExplainCampaignView.as_view()),
    path("v1/campaigns/<id:campaign_id>/report", CampaignReportView.as_view()),
    path("v1/campaigns/<id:campaign_id>/correct", CampaignCorrectView.as_view()),
    path("v1/campaigns/<id:campaign_id>/results", CampaignResultsView.as_view()),
    path("v1/campaigns/<id:campaign_id>/variants", CampaignVariantsView.as_view()),
    path("v1/campaigns/<id:campaign_id>/variants/results", VariantResultsView.as_view()),
    *controls.urls(),
    *schedules.urls(),
]
