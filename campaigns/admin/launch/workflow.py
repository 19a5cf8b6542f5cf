"""What a campaign's page offers beside the buttons of the controls: GO with its confirmation, a copy, and the progress
that the page polls."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns.admin.base import CampaignPage, View, actor, change_url
from campaigns.admin.launch.live import progress_answer
from campaigns.approval import check_cleared, clearance, content_hash
from campaigns.arming.warm import warm_workers
from campaigns.audience import topic_of
from campaigns.edit import campaigns
from campaigns.lifecycle.launching import launch, planned
from campaigns.models import Campaign, Rollout
from campaigns.preflight.go_sentence import go_sentence
from campaigns.preflight.preflight import preflight, read_seconds
from campaigns.preflight.road import canary_of
from notifier.errors import Conflict, InvalidInput
from notifier.values import timestamps
from notifier.values.zones import from_wall_clock
from tenants.admin import AUTHORS
from tenants.admin.localization.time_zones import time_of_day
from tenants.admin.person_reads import record_read


class Workflow(CampaignPage):
    def views(self) -> Mapping[str, View]:
        return {
            **super().views(),
            "copy": require_POST(self.copy_view),
            "go": require_http_methods(["GET", "POST"])(self.go_view),
            "plan": require_POST(self.plan_view),
            "limits": require_POST(self.limits_view),
            "progress": require_GET(self.progress_view),
        }

    def progress_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """What the page polls."""
        return progress_answer(self.find(request, pk))

    def copy_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """A new draft with the same content and audience."""

        def copy(campaign: Campaign) -> HttpResponse:
            draft = campaigns.copy(campaign, by=actor(request))
            self.message_user(request, _("This copy is a draft: nothing is sent until you arm it and press GO."))
            return HttpResponseRedirect(change_url(draft.pk))

        return self.perform(request, pk, copy, AUTHORS)

    def limits_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """The limits that may change while the campaign runs."""

        def change(campaign: Campaign) -> None:
            campaigns.update(campaign, _read_limits(request), by=actor(request))
            self.message_user(request, _("The limits hold for what leaves from now on."), messages.SUCCESS)

        return self.perform(request, pk, change)

    def go_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """GET: what is about to happen. POST: GO."""
        action = self._go if request.method == "POST" else self._confirm_go
        return self.perform(request, pk, lambda campaign: action(request, campaign))

    def _confirm_go(self, request: HttpRequest, campaign: Campaign) -> HttpResponse | None:
        if campaign.state != Campaign.State.ARMED:
            self._explain_state(request, campaign)
            return None
        # GO is pressed on this page a moment later: the workers' connections are open by then
        warm_workers(campaign)
        rollout, canary = request.GET.get("rollout", ""), canary_of(campaign)["size"]
        checked = preflight(campaign, read_seconds(request.GET.get("seconds")))
        if checked.person is not None:
            record_read(request, campaign.tenant_id, checked.person.id, "preview")
        return self.render(
            request,
            campaign,
            "go",
            _("Launch “%s”?") % campaign,
            preflight=checked,
            sentence=go_sentence(campaign, checked),
            clearance=clearance(campaign),
            not_cleared=why_not_cleared(campaign),
            number=number_to_type(campaign),
            rollouts=Rollout.choices if canary else Rollout.choices[:1],
            rollout=rollout if rollout in Rollout.values else Rollout.ALL.value,
            canary=canary,
            has_plan=campaign.launch_at is not None and not campaign.launch_failure,
        )

    def plan_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Plan the launch: the page of GO with a time."""
        return self.perform(request, pk, lambda campaign: self._plan(request, campaign))

    def _plan(self, request: HttpRequest, campaign: Campaign) -> None:
        self._check_revision(request, campaign)
        self._check_number(request, campaign)
        launch_at = _read_launch_at(request.POST.get("launch_at", ""), campaign.tenant.timezone)
        options = _launch_options(request, campaign)
        changed = planned.plan(campaign.tenant_id, campaign.pk, launch_at=launch_at, by=actor(request), **options)
        at = f"{localtime(launch_at):%-d %B %Y at %H:%M %Z}"
        planned_for = _("Planned: it launches itself on %s.") % at
        self.report(request, changed, planned_for, _("It was planned already, for %s.") % at)

    def _check_revision(self, request: HttpRequest, campaign: Campaign) -> None:
        """Lock the campaign, so that what is launched is what the confirmation showed: an edit raises the revision, or
        changes the hash of the content."""
        rows = Campaign.objects.select_for_update(of=("self",)).select_related("tenant", "audience")
        locked = rows.get(pk=campaign.pk)
        if locked.state != Campaign.State.ARMED:
            return
        seen = request.POST.get("seen", "")
        if str(locked.revision) != request.POST.get("revision") or (seen and seen != content_hash(locked)):
            raise Conflict(
                _("The campaign was changed or armed again since you looked. Look at it again, then press GO.")
            )

    def _check_number(self, request: HttpRequest, campaign: Campaign) -> None:
        """Above the tenant's size a person types how many people get the message."""
        number = number_to_type(campaign)
        typed = "".join(filter(str.isdecimal, request.POST.get("typed", "")))
        if number is not None and typed != str(number):
            raise InvalidInput(
                _("Nothing was launched. Type how many people get this, %s, to say that you mean it.") % f"{number:,}",
                field="typed",
            )

    def _go(self, request: HttpRequest, campaign: Campaign) -> HttpResponse | None:
        if campaign.state == Campaign.State.ARMED:
            self._check_revision(request, campaign)
            try:
                self._check_number(request, campaign)
            except InvalidInput as error:
                self.message_user(request, error.message, messages.ERROR)
                return HttpResponseRedirect(request.path)
        options = _launch_options(request, campaign)
        launched = launch.go(campaign.tenant_id, campaign.pk, by=actor(request), **options)
        campaign.refresh_from_db()
        when = _("at %s") % time_of_day(campaign.launched_at) if campaign.launched_at else _("before")
        self.report(request, launched, _launched(campaign), _("It was launched already, %s.") % when)
        return None

    def _explain_state(self, request: HttpRequest, campaign: Campaign) -> None:
        if campaign.launched_at is not None:
            at = time_of_day(campaign.launched_at)
            self.message_user(request, _("It was launched at %s.") % at, messages.INFO)
        elif campaign.state == Campaign.State.LAUNCHING:
            self.message_user(request, _("GO was pressed already."), messages.INFO)
        else:
            state = campaign.get_state_display()
            self.message_user(request, _("Arm the campaign first; it is %s.") % state.lower(), messages.WARNING)


def number_to_type(campaign: Campaign) -> int | None:
    """How many people get an armed campaign, where the tenant asks a person to type that number; else None."""
    people = max(0, campaign.audience_size - campaign.unreached)
    return people if people > campaign.tenant.confirm_above and not topic_of(campaign) else None


def why_not_cleared(campaign: Campaign) -> str:
    """Why GO would be refused for want of a test send or an approval; empty: it would not."""
    try:
        check_cleared(campaign)
    except Conflict as error:
        return error.message
    return ""


def _read_limits(request: HttpRequest) -> dict[str, Any]:
    """What the form of limits says. Raises InvalidInput, naming the field."""
    limits: dict[str, Any] = {}
    for name in ("rate_per_s", "max_error_percent", "max_dead_percent"):
        raw = request.POST.get(name, "").strip()
        if not raw and name != "rate_per_s":
            continue  # an empty field keeps its value; an empty rate means no limit
        try:
            limits[name] = float(raw) if raw else None
        except ValueError:
            raise InvalidInput(_("Must be a number; nothing was changed."), field=name) from None
    return limits


def _launched(campaign: Campaign) -> str:
    if campaign.state == Campaign.State.LAUNCHING:
        return _("GO! It leaves in %d s; until then you can take it back.") % campaign.hold_seconds
    if campaign.rollout != Rollout.ALL:
        return _("GO! The first %d %% are on their way.") % campaign.canary_percent
    return _("GO! It is on its way.")


def _launch_options(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """What the form of GO chooses."""
    ignore = bool(topic_of(campaign)) and "ignore_opt_outs" in request.POST
    return {"rollout": request.POST.get("rollout", Rollout.ALL), "ignore_opt_outs": ignore}


def _read_launch_at(raw: str, zone_name: str) -> datetime:
    """The time that a person typed, by the clock of the tenant. Raises InvalidInput."""
    typed = timestamps.parse(raw)
    if typed is None or typed.tzinfo is not None or not 2000 <= typed.year <= 9998:
        raise InvalidInput(_("Choose a date and a time for the planned launch."), field="launch_at")
    return from_wall_clock(typed, zone_name)
