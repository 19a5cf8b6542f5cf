"""Two of the steps to GO: a copy to oneself, and a silent run."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from campaigns.admin.base import CampaignPage, View, actor, change_url
from campaigns.models import Campaign
from campaigns.preflight import rehearse, test_send
from notifier.models import Delivery
from notifier.values.trim import trimmed
from notifier.vocabulary.ids import id_floor, id_ms
from notifier.vocabulary.status import FINAL, Status

#: in the session: tenant -> the recipient of this user's last test send; campaign -> its notification
TESTERS, TESTS = "campaign_testers", "campaign_tests"
#: test sends that a session remembers
KEPT = 20
#: deliveries are made within seconds of their notification: the bounds of their ids leave out the other partitions
_SAME_TIME_MS = 3_600_000


class ChecklistViews(CampaignPage):
    def views(self) -> Mapping[str, View]:
        return {
            **super().views(),
            "rehearse": require_POST(self.rehearse_view),
            "test": require_POST(self.test_view),
            "tested": require_GET(self.tested_view),
        }

    def rehearse_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def begin(campaign: Campaign) -> HttpResponse:
            silent_run = rehearse.rehearse(campaign, actor(request))
            self.message_user(request, "The silent run begins: it arms and launches itself, and delivers no message.")
            return HttpResponseRedirect(change_url(silent_run.pk))

        return self.perform(request, pk, begin)

    def test_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Send the message to one recipient, who is remembered for the next test send."""

        def send(campaign: Campaign) -> None:
            recipient = trimmed(request.POST.get("recipient", ""))
            accepted = test_send.send(campaign, recipient, actor(request))
            _remember(request, TESTERS, str(campaign.tenant_id), recipient)
            _remember(request, TESTS, str(campaign.pk), str(accepted.notification_id))
            self.message_user(
                request, f"On its way to {recipient}. Look at the message before you go on.", messages.SUCCESS
            )

        return self.perform(request, pk, send)

    def tested_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What the page polls after a test send."""
        return JsonResponse({"outcomes": last_test_outcomes(request, self.find(request, pk))})


def last_tester(request: HttpRequest, campaign: Campaign) -> str:
    """The recipient of this user's last test send in the campaign's tenant."""
    return str(request.session.get(TESTERS, {}).get(str(campaign.tenant_id), ""))


def last_test_outcomes(request: HttpRequest, campaign: Campaign) -> list[dict[str, Any]]:
    """The deliveries of this user's last test send of the campaign."""
    notification_id = request.session.get(TESTS, {}).get(str(campaign.pk))
    if notification_id is None:
        return []
    notification = uuid.UUID(notification_id)
    deliveries = Delivery.objects.filter(
        tenant_id=campaign.tenant_id,
        notification_id=notification,
        id__gte=id_floor(id_ms(notification) - _SAME_TIME_MS),
        id__lt=id_floor(id_ms(notification) + _SAME_TIME_MS),
    ).order_by("channel", "id")
    return [_outcome(delivery) for delivery in deliveries]


def _outcome(delivery: Delivery) -> dict[str, Any]:
    status = Status(delivery.status)
    return {
        "id": str(delivery.pk),
        "channel": delivery.channel,
        "status": status.label,
        "reason": delivery.reason.replace("_", " "),
        "final": status in FINAL,
    }


def _remember(request: HttpRequest, name: str, key: str, value: str) -> None:
    """Keep the latest few. Assigning to a key of the session is what makes Django save it."""
    kept = {k: v for k, v in request.session.get(name, {}).items() if k != key}
    request.session[name] = dict([*list(kept.items())[1 - KEPT :], (key, value)])
