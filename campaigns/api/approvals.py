"""`/v1/campaigns/<id>/approval`: ask for an approval, and decide about it.

Asking needs the scope `campaigns`, deciding the scope `approvals`, which `*` does not include. A key is an actor like a
person: one that wrote the content does not approve it.
"""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import approval
from campaigns.api.base import OneCampaignView
from campaigns.api.shapes import TAGS
from campaigns.approval.decide import MAX_NOTE
from campaigns.models import Campaign, CampaignApproval
from notifier.api.framework import schema
from notifier.api.framework.fields import Text


class ApprovalRequestInput(serializers.Serializer[Any]):
    note = Text(max_length=MAX_NOTE, required=False, allow_blank=True, help_text="What the approver should know.")


class ApproveInput(serializers.Serializer[Any]):
    hash = Text(
        max_length=64,
        help_text="`hash` of the approval that you looked at. If the campaign was changed meanwhile, nothing is "
        "decided (`approval_stale`).",
    )
    note = Text(max_length=MAX_NOTE, required=False, allow_blank=True)


class RejectInput(ApproveInput):
    note = Text(max_length=MAX_NOTE, help_text="Why, so that the author knows what to change.")


class ApprovalOutput(serializers.Serializer[Any]):
    """What GO asks of the campaign before it leaves, and what there is."""

    hash = serializers.CharField(
        help_text="Of the campaign's present content: the template's version, audience, data, settings."
    )
    required = serializers.BooleanField(  # type: ignore[assignment]
        help_text="GO needs an approval of this campaign."
    )
    approved = serializers.BooleanField(help_text="There is one of the present content.")
    decision = serializers.ChoiceField(
        ["", *CampaignApproval.Decision.values], help_text="Of the request asked for last; empty: there is none."
    )
    changed = serializers.ListField(
        child=serializers.CharField(), help_text="Parts of the content that were changed since that request."
    )
    requested_at = serializers.DateTimeField(allow_null=True)
    request_note = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField(help_text="Of the approver.")
    test_copy_required = serializers.BooleanField(help_text="GO needs a test send since the last edit.")
    test_copy = serializers.BooleanField(help_text="There is one of what recipients get.")


def _changed(name: str, meaning: str) -> Any:
    return inline_serializer(
        f"Campaign{name.capitalize()}Output",
        {name: serializers.BooleanField(help_text=meaning), "state": serializers.CharField()},
    )


class ApprovalView(OneCampaignView):
    @schema.describe(
        "What GO asks of a campaign, and whether it is approved", gives=ApprovalOutput, fails=(404,), tags=TAGS
    )
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return Response(_show(self.find(campaign_id, to_change=False)))

    @schema.post(
        "Ask for the approval of the campaign as it is now",
        ApprovalRequestInput,
        _changed("requested", "False when it was asked for, or granted, already."),
        404,
        status=200,
        tags=TAGS,
    )
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        campaign = self.find(campaign_id)
        note = self.read(ApprovalRequestInput).get("note", "")
        requested = approval.request_approval(campaign, by=self.actor, note=note)
        return Response({"requested": requested, "state": campaign.state})


class WithdrawApprovalView(OneCampaignView):
    @schema.post(
        "Take back the request, or the approval",
        None,
        _changed("withdrawn", "False when there was neither."),
        404,
        status=200,
        tags=TAGS,
    )
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        campaign = self.find(campaign_id)
        return Response({"withdrawn": approval.withdraw(campaign, by=self.actor), "state": campaign.state})


class ApproveView(OneCampaignView):
    scope = "approvals"

    @schema.post(
        "Approve the campaign; never by the key that wrote it",
        ApproveInput,
        _changed("approved", "False when this content was approved already."),
        404,
        status=200,
        tags=TAGS,
    )
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        campaign, given = self.find(campaign_id), self.read(ApproveInput)
        approved = approval.approve(campaign, by=self.actor, note=given.get("note", ""), seen=given["hash"])
        return Response({"approved": approved, "state": campaign.state})


class RejectView(OneCampaignView):
    scope = "approvals"

    @schema.post(
        "Reject the campaign, and say why",
        RejectInput,
        _changed("rejected", "False when this content was rejected already."),
        404,
        status=200,
        tags=TAGS,
    )
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        campaign, given = self.find(campaign_id), self.read(RejectInput)
        rejected = approval.reject(campaign, by=self.actor, note=given["note"], seen=given["hash"])
        return Response({"rejected": rejected, "state": campaign.state})


def _show(campaign: Campaign) -> dict[str, Any]:
    shown = approval.clearance(campaign)
    latest = shown.latest
    return dict(
        ApprovalOutput().to_representation(
            {
                "hash": shown.hash,
                "required": shown.required,
                "approved": shown.approved,
                "decision": latest.decision if latest else "",
                "changed": list(shown.changed),
                "requested_at": latest.requested_at if latest else None,
                "request_note": latest.request_note if latest else "",
                "decided_at": latest.decided_at if latest else None,
                "note": latest.note if latest else "",
                "test_copy_required": shown.copy_required,
                "test_copy": shown.copied,
            }
        )
    )
