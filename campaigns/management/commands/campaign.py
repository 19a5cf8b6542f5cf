"""manage.py campaign <id> status|go|take_back|pause|resume|stop"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.lifecycle import control, launch
from campaigns.models import Campaign, Rollout
from campaigns.report import results
from notifier.errors import NotifierError
from tenants.models import User

CONTROLS: dict[str, tuple[Callable[..., bool], str]] = {
    "go": (launch.go, "launched"),
    "take_back": (launch.take_back, "taken back"),
    "pause": (control.pause, "paused"),
    "resume": (control.resume, "resumed"),
    "stop": (control.stop, "stopped"),
}


class Command(BaseCommand):
    help = (
        "Show a campaign, or press one of its buttons. A repeat changes nothing. For tenants' servers there is the API."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=uuid.UUID)
        parser.add_argument("step", choices=["status", *CONTROLS])
        parser.add_argument("--rollout", choices=Rollout.values, default=Rollout.ALL, help="what leaves at GO")
        parser.add_argument("--as", dest="username", default="", help="the login that the audit log shall name")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(pk=options["id"]).first()
        if campaign is None:
            raise CommandError("There is no such campaign.")
        if options["step"] != "status":
            self._press(campaign, options["step"], options["rollout"], _user(options["username"]))
            campaign.refresh_from_db()
        self._show(campaign)

    def _press(self, campaign: Campaign, name: str, rollout: str, user: User | None) -> None:
        press, did = CONTROLS[name]
        if name == "go":
            press = partial(launch.go, rollout=rollout)
        try:
            mine = press(campaign.tenant_id, campaign.pk, user=user)
        except NotifierError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{did}." if mine else f"Nothing to do: it was {did} already.")

    def _show(self, campaign: Campaign) -> None:
        now = results.progress(campaign)
        lines = {"campaign": f"{campaign.name}  {campaign.pk}", "state": campaign.state, "halted": campaign.halted}
        if campaign.state == Campaign.State.LAUNCHING:
            lines["leaves at"] = f"{campaign.hold_until:%H:%M:%S} UTC"
        if campaign.launched_at is not None:
            lines["rollout"] = campaign.rollout
            lines["launched"] = f"{campaign.launched_at:%Y-%m-%d %H:%M:%S} UTC"
            lines["sent"] = f"{now.sent:,} of {now.total:,}" + (f", {now.rate:,.0f}/s" if now.rate else "")
            lines["else"] = f"{now.failed:,} failed, {now.in_doubt:,} in doubt, {now.waiting:,} waiting"
        for name, value in lines.items():
            if value:
                self.stdout.write(f"{name:<9} {value}")


def _user(username: str) -> User | None:
    if not username:
        return None
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username!r}.")
    return user
