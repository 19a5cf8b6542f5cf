"""`/v1/audiences` and `/v1/campaigns`: the campaign road for tenants' servers. Keys need the scope `campaigns`."""

from __future__ import annotations

from campaigns.api.audiences import AudiencesView, AudienceView, MembersView
from campaigns.api.campaigns import ArmView, CampaignsView, CampaignView, ResultsView
from campaigns.api.controls import GoView, PauseView, ResumeView, StopView, TakeBackView
from campaigns.api.rehearsal import PreflightView, RehearseView, TestView
from notifier.api.framework.paths import path

urlpatterns = [
    path("v1/audiences", AudiencesView.as_view()),
    path("v1/audiences/<id:audience_id>", AudienceView.as_view()),
    path("v1/audiences/<id:audience_id>/members", MembersView.as_view()),
    path("v1/campaigns", CampaignsView.as_view()),
    path("v1/campaigns/<id:campaign_id>", CampaignView.as_view()),
    path("v1/campaigns/<id:campaign_id>/arm", ArmView.as_view()),
    path("v1/campaigns/<id:campaign_id>/preflight", PreflightView.as_view()),
    path("v1/campaigns/<id:campaign_id>/rehearse", RehearseView.as_view()),
    path("v1/campaigns/<id:campaign_id>/test", TestView.as_view()),
    path("v1/campaigns/<id:campaign_id>/go", GoView.as_view()),
    path("v1/campaigns/<id:campaign_id>/take_back", TakeBackView.as_view()),
    path("v1/campaigns/<id:campaign_id>/pause", PauseView.as_view()),
    path("v1/campaigns/<id:campaign_id>/resume", ResumeView.as_view()),
    path("v1/campaigns/<id:campaign_id>/stop", StopView.as_view()),
    path("v1/campaigns/<id:campaign_id>/results", ResultsView.as_view()),
]
