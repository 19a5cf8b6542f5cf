"""Approvals: who asked for one, of which content, and what a second person decided."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign
from tenants.models import TenantOwned, User


class CampaignApproval(TenantOwned):
    """One request to approve a campaign, and its decision. It is about the content that `hash` names
    (campaigns.approval.content): after an edit the campaign has another hash, and the approval does not hold."""

    class Decision(models.TextChoices):
        OPEN = "open", _("waiting for a decision")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")
        #: taken back by a member, before or after the decision
        WITHDRAWN = "withdrawn", _("withdrawn")
        #: the campaign was edited before a decision
        SUPERSEDED = "superseded", _("overtaken by an edit")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="approvals", db_index=False)
    hash = models.CharField(max_length=64)
    #: part of the content -> its own hash, so that a page can say what was changed since
    parts = models.JSONField(default=dict)
    #: recipients of the audience when the approval was asked for; null: the campaign was not armed, or is for a topic
    people = models.IntegerField(null=True)
    # an actor is a user, an API key, or neither (an operator at the command line)
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    requested_by_key = models.UUIDField(null=True)
    requested_at = models.DateTimeField(default=timezone.now)
    request_note = models.CharField(max_length=500, blank=True)
    decision = models.CharField(max_length=10, choices=Decision, default=Decision.OPEN)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    decided_by_key = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            # one question at a time, however many people ask at once
            models.UniqueConstraint(
                fields=["tenant", "campaign"], name="approval_open_once", condition=models.Q(decision="open")
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="approval_newest"),
            models.Index(fields=["campaign", "-id"], name="approval_of_campaign"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.decision}"
