"""The first two rungs of the ladder, from the campaign's page: a silent run, and a test send to yourself."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from campaigns.admin.page import CampaignPage, View, change_url
from campaigns.models import Campaign
from campaigns.preflight import rehearse, test_send
from notifier.models import Delivery
from notifier.values.trim import trimmed
from notifier.vocabulary.ids import id_floor, id_ms
from notifier.vocabulary.status import FINAL, Status

#: session: tenant -> who got the last test send of this user; campaign -> the notification that it was
TESTERS, TESTS = "campaign_testers", "campaign_tests"
#: tests that a session remembers
KEPT = 20
#: deliveries are made within seconds of their notification; from here on down no partition need be looked at
_SAME_TIME_MS = 3_600_000


class Rungs(CampaignPage):
    def steps(self) -> Mapping[str, View]:
        return {
            **super().steps(),
            "rehearse": require_POST(self.rehearse_view),
            "test": require_POST(self.test_view),
            "tested": require_GET(self.tested_view),
        }

    def rehearse_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def begin(campaign: Campaign) -> HttpResponse:
            twin = rehearse.rehearse(campaign, self.by(request))
            self.message_user(request, "The silent run begins: it arms and launches itself. Nobody gets anything.")
            return HttpResponseRedirect(change_url(twin.pk))

        return self.step(request, pk, begin)

    def test_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Send it to one recipient, who is remembered for the next time."""

        def send(campaign: Campaign) -> None:
            recipient = trimmed(request.POST.get("recipient", ""))
            accepted = test_send.send(campaign, recipient, self.by(request))
            _remember(request, TESTERS, str(campaign.tenant_id), recipient)
            _remember(request, TESTS, str(campaign.pk), str(accepted.notification_id))
            self.message_user(request, f"On its way to {recipient}. Look at it before you go on.", messages.SUCCESS)

        return self.step(request, pk, send)

    def tested_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What became of this user's last test send."""
        return JsonResponse({"outcomes": outcomes(request, self.find(request, pk))})


def tester(request: HttpRequest, campaign: Campaign) -> str:
    """Who got this user's last test send in the campaign's tenant."""
    return str(request.session.get(TESTERS, {}).get(str(campaign.tenant_id), ""))


def outcomes(request: HttpRequest, campaign: Campaign) -> list[dict[str, Any]]:
    """The deliveries of this user's last test send of the campaign."""
    remembered = request.session.get(TESTS, {}).get(str(campaign.pk))
    if remembered is None:
        return []
    notification = uuid.UUID(remembered)
    found = Delivery.objects.filter(
        tenant_id=campaign.tenant_id,
        notification_id=notification,
        id__gte=id_floor(id_ms(notification) - _SAME_TIME_MS),
        id__lt=id_floor(id_ms(notification) + _SAME_TIME_MS),
    ).order_by("channel", "id")
    return [_outcome(delivery) for delivery in found]


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
    """The latest few; the session is written only when it is told of a change."""
    kept = {k: v for k, v in request.session.get(name, {}).items() if k != key}
    request.session[name] = dict([*list(kept.items())[1 - KEPT :], (key, value)])
