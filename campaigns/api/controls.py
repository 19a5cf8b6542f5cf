"""GO and the controls of what was launched. Each POST may be repeated, and answers whether it was the one."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Protocol

from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.campaigns import CampaignStep
from campaigns.api.shapes import TAGS, GoInput, GoOutput, PauseOutput, ResumeOutput, StopOutput, TakeBackOutput
from campaigns.lifecycle import control, launch
from notifier.api.framework import schema


class Control(Protocol):
    """One of the controls of a launched campaign."""

    def __call__(self, tenant_id: uuid.UUID, campaign_id: uuid.UUID, *, api_key_id: uuid.UUID | None) -> bool: ...


class ControlView(CampaignStep):
    """Base of the controls: each answers whether this request did it."""

    def press(self, control_: Control, campaign_id: uuid.UUID, answer: str) -> Response:
        campaign = self.find(campaign_id)
        did = control_(self.tenant_id, campaign.pk, api_key_id=self.caller.key_id)
        campaign.refresh_from_db(fields=["state"])
        return Response({answer: did, "state": campaign.state})


class GoView(ControlView):
    @schema.post("GO. A repeat is harmless", GoInput, GoOutput, 404, status=200, tags=TAGS)
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        go = partial(launch.go, rollout=self.read(GoInput)["rollout"])
        return self.press(go, campaign_id, "launched")


class TakeBackView(ControlView):
    @schema.post("Take GO back, within its hold", None, TakeBackOutput, 404, status=200, tags=TAGS)
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return self.press(launch.take_back, campaign_id, "taken_back")


class PauseView(ControlView):
    @schema.post("Pause: no request begins more than a second later", None, PauseOutput, 404, status=200, tags=TAGS)
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return self.press(control.pause, campaign_id, "paused")


class ResumeView(ControlView):
    @schema.post("Resume what was paused, or paused itself", None, ResumeOutput, 404, status=200, tags=TAGS)
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return self.press(control.resume, campaign_id, "resumed")


class StopView(ControlView):
    @schema.post("Stop: no request begins more than a second later", None, StopOutput, 404, status=200, tags=TAGS)
    def post(self, request: Request, campaign_id: uuid.UUID) -> Response:
        return self.press(control.stop, campaign_id, "stopped")
