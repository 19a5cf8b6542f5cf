"""The buttons of a campaign's page: a view for each row of campaigns.lifecycle.controls."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from campaigns.admin.base import CampaignPage, View, actor
from campaigns.admin.launch.live import account_text
from campaigns.audit import Act
from campaigns.lifecycle.controls import Control, Surface, offered
from campaigns.models import Campaign
from campaigns.report import results


class ControlViews(CampaignPage):
    """The views of all controls. GO has a view of its own in workflow.py."""

    def views(self) -> Mapping[str, View]:
        return {**super().views(), **{str(control.act): self._view(control) for control in offered(Surface.ADMIN)}}

    def _view(self, control: Control) -> View:
        def run(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
            return self.perform(request, pk, lambda campaign: self._run(request, control, campaign))

        def confirm_or_run(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
            if request.method == "POST":
                return run(request, pk)
            return self.perform(request, pk, lambda campaign: self._confirm(request, control, campaign))

        return require_http_methods(["GET", "POST"])(confirm_or_run) if control.confirm else require_POST(run)

    def _run(self, request: HttpRequest, control: Control, campaign: Campaign) -> None:
        changed = control.run(campaign.tenant_id, campaign.pk, by=actor(request))
        success = control.success
        if changed and control.act in (Act.PAUSE, Act.STOP) and campaign.launched_at is not None:
            success = f"{success} {account_text(campaign)}"
        self.report(request, changed, success, f"It was {control.done.replace('_', ' ')} already.")

    def _confirm(self, request: HttpRequest, control: Control, campaign: Campaign) -> HttpResponse:
        title = f"{control.act.capitalize()} “{campaign}”?"
        return self.render(request, campaign, control.act, title, progress=results.progress(campaign))


@dataclass(frozen=True)
class Button:
    """A control as a campaign's page offers it."""

    control: Control
    label: str

    @property
    def url_name(self) -> str:
        return f"admin:campaigns_campaign_{self.control.act}"

    @property
    def css(self) -> str:
        return {"danger": "n-button--danger", "next": "n-button--primary"}.get(self.control.style, "")


def buttons(campaign: Campaign) -> list[Button]:
    """What a campaign's page offers in the state that it is in."""
    labels = ((control, control.button(campaign)) for control in offered(Surface.ADMIN))
    return [Button(control, label) for control, label in labels if label]
