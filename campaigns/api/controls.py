"""`POST /v1/campaigns/<id>/<control>`: a view for each row of campaigns.lifecycle.controls. A POST may be repeated; the
answer says whether this request changed the campaign."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.urls import URLPattern
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.base import OneCampaignView
from campaigns.api.shapes import TAGS, CampaignGoInput, CampaignOutput, CampaignPlanInput, show_campaign
from campaigns.api.variants_shapes import WinnerInput
from campaigns.audit import Act
from campaigns.lifecycle.controls import Control, Surface, offered
from notifier.api.framework import schema
from notifier.api.framework.paths import path

#: the body of a control that takes options
INPUTS: Mapping[Act, type[serializers.Serializer[Any]]] = {
    Act.GO: CampaignGoInput,
    Act.PLAN: CampaignPlanInput,
    Act.CHOOSE_WINNER: WinnerInput,
}


def urls() -> list[URLPattern]:
    """An address for each control that the API offers."""
    return [
        path(f"v1/campaigns/<id:campaign_id>/{control.act}", _view(control).as_view())
        for control in offered(Surface.API)
    ]


class ControlView(OneCampaignView):
    """A POST may be repeated; the answer says whether this request changed the campaign."""

    def run(self, control: Control, campaign_id: uuid.UUID) -> Response:
        campaign = self.find(campaign_id)
        shape = INPUTS.get(control.act)
        options = self.read(shape) if shape else {}
        changed = control.run(self.tenant_id, campaign.pk, by=self.actor, **options)
        if control.background:
            return Response(show_campaign(self.find(campaign_id)), status=202)
        campaign.refresh_from_db(fields=["state"])
        return Response({control.done: changed, "state": campaign.state})


def _view(control: Control) -> type[ControlView]:
    answer = CampaignOutput if control.background else _output(control)
    status = 202 if control.background else 200
    takes = INPUTS.get(control.act)

    class View(ControlView):
        @schema.post(control.summary, takes, answer, 404, status=status, tags=TAGS)
        def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
            return self.run(control, campaign_id)

    # the name of a view is a part of its idempotency keys
    View.__name__ = View.__qualname__ = f"Campaign{_camel(control)}View"
    return View


def _output(control: Control) -> Any:
    """Whether this request changed the campaign, and the state of the campaign now."""
    words = control.done.replace("_", " ")
    changed = serializers.BooleanField(help_text=f"True for the one request by which the campaign was {words}.")
    return inline_serializer(
        f"Campaign{_camel(control)}Output", {control.done: changed, "state": serializers.CharField()}
    )


def _camel(control: Control) -> str:
    """take_back -> TakeBack."""
    return "".join(part.capitalize() for part in control.act.split("_"))
