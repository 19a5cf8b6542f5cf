"""`/v1/notifications/<id>/explain` and `/v1/recipients/<external_id>/explain`: why a message leaves, waits or not."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from notifier.api.framework import schema
from notifier.api.framework.views import TenantView
from notifier.api.notifications import find, with_deliveries
from notifier.channels.names import check_channel_names
from notifier.delivery import explain
from notifier.delivery.ledger.history import load_histories
from notifier.delivery.planning.choices import Change
from notifier.delivery.planning.trace import RuleResult
from notifier.errors import InvalidInput
from notifier.values.trim import trimmed
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Status
from tenants.access import get_owned
from tenants.models import Recipient

TAGS = ["explain"]

# ---- shapes --------------------------------------------------------------------------------------------------------


class RuleOutput(serializers.Serializer[Any]):
    rule = serializers.CharField(help_text="As in the reasons of messages, in the order in which the rules are asked.")
    looked_at = serializers.CharField(help_text="What the rule saw, with the time and source of a choice.")
    said = serializers.CharField(help_text="passed, suppressed: …, waits until …, not asked: …, or not reached: …")


class ChannelExplanation(serializers.Serializer[Any]):
    channel = serializers.CharField()
    outcome = serializers.ChoiceField(["leaves", "waits", "suppressed"])
    reason = serializers.CharField(help_text="Of `waits` and `suppressed`.")
    until = serializers.DateTimeField(allow_null=True, help_text="Until when it waits.")
    messages = serializers.IntegerField(help_text="That leave: one for each address.")
    rules = RuleOutput(many=True)


class ExplanationOutput(serializers.Serializer[Any]):
    recipient = serializers.CharField()
    category = serializers.CharField()
    kind = serializers.CharField()
    at = serializers.DateTimeField(help_text="The time of the decision that is explained.")
    channels = ChannelExplanation(many=True)
    rules = RuleOutput(many=True, help_text="Rules that look at no single channel.")


class StepOutput(serializers.Serializer[Any]):
    what = serializers.CharField()
    detail = serializers.CharField()
    at = serializers.DateTimeField()


class ExplainedDelivery(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    channel = serializers.CharField()
    status = serializers.CharField()
    reason = serializers.CharField()
    detail = serializers.CharField()
    decided_at = serializers.DateTimeField()
    decided = serializers.CharField(help_text="What was decided when it was accepted or armed.")
    since = StepOutput(many=True, help_text="What happened since.")


class ChangeOutput(serializers.Serializer[Any]):
    changed = serializers.CharField(help_text="preference, recipient or device")
    at = serializers.DateTimeField()
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="person, import, receipt, admin, api or system."
    )
    detail = serializers.DictField(help_text="Of a preference: what changed, with the new values.")


class ExplainedNotification(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    recipient = serializers.CharField()
    template = serializers.CharField()
    category = serializers.CharField()
    deliveries = ExplainedDelivery(many=True)
    changes = ChangeOutput(many=True, help_text="The recipient's consent changes since, the newest first.")
    now = ExplanationOutput(allow_null=True, help_text="The decision as it would be made now.")


_CHANNEL = {
    "channel": "push",
    "outcome": "suppressed",
    "reason": "channel_off",
    "until": None,
    "messages": 0,
    "rules": [
        {
            "rule": "channel_off",
            "looked_at": "the channel push is off (changed 2030-01-31 09:00 UTC by person)",
            "said": "suppressed: channel_off",
        }
    ],
}
EXPLANATION = {
    "recipient": "ana-7",
    "category": "promotions",
    "kind": "marketing",
    "at": "2030-02-01T09:00:00Z",
    "channels": [_CHANNEL],
    "rules": [],
}
EXAMPLES = [OpenApiExample("She turned push off", EXPLANATION, response_only=True)]
_DELIVERY = {
    "id": "0198c9a4-3a5e-7cc1-9c63-5d4c8e5f7a10",
    "channel": "push",
    "status": "suppressed",
    "reason": "channel_off",
    "detail": "",
    "decided_at": "2030-02-01T08:59:00Z",
    "decided": "suppressed: channel_off",
    "since": [],
}
NOTIFICATION_EXAMPLES = [
    OpenApiExample(
        "She turned push off",
        {
            "id": "0198c9a4-3a5e-7cc1-9c63-5d4c8e5f7a0f",
            "recipient": "ana-7",
            "template": "offer",
            "category": "promotions",
            "deliveries": [_DELIVERY],
            "changes": [],
            "now": EXPLANATION,
        },
        response_only=True,
    )
]


def show_explanation(explanation: explain.Explanation) -> dict[str, Any]:
    """As the API shows it."""
    return {
        "recipient": explanation.recipient,
        "category": explanation.category,
        "kind": str(explanation.kind),
        "at": explanation.at,
        "channels": [
            {
                "channel": one.channel,
                "outcome": one.outcome,
                "reason": one.reason,
                "until": one.until,
                "messages": one.messages,
                "rules": show_rules(one.rules),
            }
            for one in explanation.channels
        ],
        "rules": show_rules(explanation.rules),
    }


def show_rules(lines: Sequence[RuleResult]) -> list[dict[str, str]]:
    return [{"rule": str(line.rule), "looked_at": line.looked_at, "said": line.said} for line in lines]


def show_changes(changes: Sequence[Change]) -> list[dict[str, Any]]:
    return [change._asdict() for change in changes]


def show_deliveries(explained: Sequence[explain.DeliveryExplanation]) -> list[dict[str, Any]]:
    """Each with its steps since it was decided."""
    histories = load_histories([one.delivery for one in explained])
    return [_delivery(one, histories) for one in explained]


def _delivery(explained: explain.DeliveryExplanation, histories: Mapping[uuid.UUID, Sequence[Any]]) -> dict[str, Any]:
    row = explained.delivery
    steps = histories[row.pk]
    was_settled_then = row.settled_at == row.accepted_at
    return {
        "id": row.pk,
        "channel": row.channel,
        "status": Status(row.status).label,
        "reason": row.reason,
        "detail": row.detail,
        "decided_at": row.accepted_at,
        "decided": explained.decided,
        "since": [] if was_settled_then else [step._asdict() for step in steps[1:]],
    }


# ---- views ---------------------------------------------------------------------------------------------------------


class ExplainNotificationView(TenantView):
    scope = "send"

    @schema.describe(
        "Explain what became of a notification",
        gives=ExplainedNotification,
        fails=(404,),
        tags=TAGS,
        examples=NOTIFICATION_EXAMPLES,
        operation_id="notifications_explain",
    )
    def get(self, request: Request, notification_id: uuid.UUID) -> Response:
        """What was decided when it was accepted, what happened since, and each rule as of now."""
        notification = find(self.tenant, notification_id)
        (_, deliveries), = with_deliveries([notification])  # fmt: skip
        explained = explain.explain_notification(notification, deliveries, datetime.now(UTC))
        return Response(
            {
                "id": notification.pk,
                "recipient": notification.recipient.external_id,
                "template": notification.version.template.key,
                "category": notification.category,
                "deliveries": show_deliveries(explained.deliveries),
                "changes": show_changes(explained.changes),
                "now": None if explained.now is None else show_explanation(explained.now),
            }
        )


class ExplainRecipientView(TenantView):
    scope = "send"

    @schema.describe(
        "Explain what a recipient would get",
        gives=ExplanationOutput,
        fails=(400, 404),
        tags=TAGS,
        examples=EXAMPLES,
        operation_id="recipients_explain",
        parameters=[
            OpenApiParameter("template", str, required=True, description="The key of a template."),
            OpenApiParameter("channel", str, description="One of the template's channels, or several, by commas."),
            OpenApiParameter("category", str, description="In place of the template's own category."),
        ],
    )
    def get(self, request: Request, external_id: str) -> Response:
        """A dry run of the decision: nothing is sent or stored. The template's content is not rendered."""
        recipient = get_owned(Recipient.objects.all(), self.tenant, external_id=trimmed(external_id))
        query = read_query(request.query_params, recipient.external_id, self.caller.mode)
        return Response(show_explanation(explain.explain_request(self.tenant, query, datetime.now(UTC))))


def read_query(query: Mapping[str, str], external_id: str, mode: Any) -> SendRequest:
    """The request that a query describes. Raises InvalidInput, naming the parameter."""
    known = {"template", "channel", "category"}
    if unknown := set(query) - known:
        raise InvalidInput(
            f"Unknown parameter; known: {', '.join(sorted(known))}.", field=min(unknown)[:100], code="unknown_field"
        )
    template = trimmed(query.get("template", ""))
    if not template:
        raise InvalidInput("Name the template: ?template=…", field="template", code="required")
    named = [trimmed(name) for name in query.get("channel", "").split(",") if trimmed(name)]
    names = check_channel_names(named, "channel")
    return SendRequest(
        external_id, template, trimmed(query.get("category", "")), tuple(names) if names else None, mode=mode
    )
