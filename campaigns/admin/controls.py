"""After GO: take it back while it is held, pause, resume, and stop with its confirmation."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from campaigns.admin.page import CampaignPage, View
from campaigns.lifecycle import control, launch
from campaigns.models import Campaign
from campaigns.report import results


class Controls(CampaignPage):
    def steps(self) -> Mapping[str, View]:
        return {
            **super().steps(),
            "take_back": require_POST(self.take_back_view),
            "pause": require_POST(self.pause_view),
            "resume": require_POST(self.resume_view),
            "stop": require_http_methods(["GET", "POST"])(self.stop_view),
        }

    def take_back_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def take_back(campaign: Campaign) -> None:
            taken = launch.take_back(campaign.tenant_id, campaign.pk, user=self.by(request).user)
            self.say(
                request, taken, "Taken back: nothing has left. It is armed as before.", "It was taken back already."
            )

        return self.step(request, pk, take_back)

    def pause_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def pause(campaign: Campaign) -> None:
            paused = control.pause(campaign.tenant_id, campaign.pk, user=self.by(request).user)
            self.say(request, paused, "Paused. What is on the wire ends; nothing new begins.", "It was paused already.")

        return self.step(request, pk, pause)

    def resume_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        def resume(campaign: Campaign) -> None:
            resumed = control.resume(campaign.tenant_id, campaign.pk, user=self.by(request).user)
            self.say(request, resumed, "On it goes.", "It runs already.")

        return self.step(request, pk, resume)

    def stop_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """GET: what stopping means. POST: stop."""
        if request.method == "POST":
            return self.step(request, pk, lambda campaign: self._stop(request, campaign))
        return self.step(
            request,
            pk,
            lambda c: self.page(request, c, "stop", f"Stop “{c}”?", progress=results.progress(c)),
        )

    def _stop(self, request: HttpRequest, campaign: Campaign) -> None:
        stopped = control.stop(campaign.tenant_id, campaign.pk, user=self.by(request).user)
        self.say(request, stopped, "Stopped. What is on the wire ends; nothing new begins.", "It was stopped already.")
