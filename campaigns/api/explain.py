"""`/v1/campaigns/<id>/explain?recipient=…`: why a recipient did or did not get a campaign's message."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.base import OneCampaignView
from campaigns.report.explain import explain_recipient
from notifier.api import explain
from notifier.api.framework import schema
from notifier.errors import InvalidInput
from notifier.values.trim import trimmed
from tenants.access import get_owned
from tenants.models import Recipient


class ExplainedCampaign(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    recipient = serializers.CharField()
    state = serializers.CharField()
    armed_at = serializers.DateTimeField(allow_null=True)
    audience = explain.RuleOutput(many=True, help_text="Whether the recipient is in the audience, and was when armed.")
    deliveries = explain.ExplainedDelivery(many=True, help_text="The recipient's messages of the campaign.")
    changes = explain.ChangeOutput(many=True, help_text="The recipient's consent changes since arming, newest first.")
    now = explain.ExplanationOutput(help_text="The decision as it would be made now.")


EXAMPLES = [
    OpenApiExample(
        "He came after the campaign was armed",
        {
            "id": "0198c9a4-3a5e-7cc1-9c63-5d4c8e5f7a0f",
            "recipient": "ben-8",
            "state": "finished",
            "armed_at": "2030-01-31T09:00:00Z",
            "audience": [
                {"rule": "audience", "looked_at": "everybody Customers, as it is now", "said": "passed"},
                {
                    "rule": "armed",
                    "looked_at": "the audience as it was on 2030-01-31 09:00 UTC; the recipient was added on 2030-02-01"
                    " 10:00 UTC",
                    "said": "left out: the recipient came after the campaign was armed",
                },
            ],
            "deliveries": [],
            "changes": [],
            "now": explain.EXPLANATION,
        },
        response_only=True,
    )
]


class ExplainCampaignView(OneCampaignView):
    @schema.describe(
        "Explain why a recipient did or did not get a campaign",
        gives=ExplainedCampaign,
        fails=(400, 404),
        tags=explain.TAGS,
        examples=EXAMPLES,
        operation_id="campaigns_explain",
        parameters=[OpenApiParameter("recipient", str, required=True, description="The recipient's external_id.")],
    )
    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        """Also for recipients who were left out when the campaign was armed."""
        campaign = self.find(campaign_id, to_change=False)
        external_id = trimmed(request.query_params.get("recipient", ""))
        if not external_id:
            raise InvalidInput("Name the recipient: ?recipient=…", field="recipient", code="required")
        recipient = get_owned(Recipient.objects.all(), self.tenant, external_id=external_id)
        explained = explain_recipient(campaign, recipient, datetime.now(UTC))
        return Response(
            {
                "id": campaign.pk,
                "recipient": recipient.external_id,
                "state": campaign.state,
                "armed_at": campaign.armed_at,
                "audience": explain.show_rules(explained.audience),
                "deliveries": explain.show_deliveries(explained.deliveries),
                "changes": explain.show_changes(explained.changes),
                "now": explain.show_explanation(explained.now),
            }
        )
