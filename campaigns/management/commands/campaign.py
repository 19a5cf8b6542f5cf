"""manage.py campaign <id> status|go|plan|unplan|choose_winner|take_back|pause|resume|stop"""

from __future__ import annotations

import uuid
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.audit import Actor
from campaigns.lifecycle.controls import Control, Surface, offered
from campaigns.models import Campaign, Rollout
from campaigns.report import results
from notifier.errors import NotifierError
from notifier.values import timestamps
from tenants.models import User

CONTROLS = {str(control.act): control for control in offered(Surface.CLI)}


class Command(BaseCommand):
    help = (
        "Show a campaign, or run one of its controls. A repeat changes nothing. Tenants' servers use the API instead."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=uuid.UUID)
        parser.add_argument("step", choices=["status", *CONTROLS])
        parser.add_argument("--rollout", choices=Rollout.values, default=Rollout.ALL, help="what leaves")
        parser.add_argument(
            "--at", dest="launch_at", type=_time, help="plan: when to launch, such as 2030-01-31T09:00:00+01:00"
        )
        parser.add_argument(
            "--ignore-opt-outs", action="store_true", help="for a topic: no opt-out holds, because Google passes it on"
        )
        parser.add_argument("--variant", default="", help="choose_winner: the variant that the rest gets, such as B")
        parser.add_argument("--as", dest="username", default="", help="the login that the audit log names")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(pk=options["id"]).first()
        if campaign is None:
            raise CommandError("There is no such campaign.")
        if options["step"] != "status":
            control = CONTROLS[options["step"]]
            if "launch_at" in control.options and options["launch_at"] is None:
                raise CommandError("Say when: --at 2030-01-31T09:00:00+01:00")
            if "variant" in control.options and not options["variant"]:
                raise CommandError("Say which: --variant B")
            chosen = {name: options[name] for name in control.options}
            self._run(control, campaign, chosen, Actor(user=_user(options["username"])))
            campaign.refresh_from_db()
        self._show(campaign)

    def _run(self, control: Control, campaign: Campaign, options: dict[str, Any], by: Actor) -> None:
        done = control.done.replace("_", " ")
        try:
            changed = control.run(campaign.tenant_id, campaign.pk, by=by, **options)
        except NotifierError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{done}." if changed else f"Nothing to do: it was {done} already.")

    def _show(self, campaign: Campaign) -> None:
        progress = results.progress(campaign)
        lines = {"campaign": f"{campaign.name}  {campaign.pk}", "state": campaign.state, "halted": campaign.halted}
        if campaign.launch_at is not None and campaign.launched_at is None:
            lines["planned"] = f"{campaign.launch_at:%Y-%m-%d %H:%M:%S} UTC, {campaign.launch_rollout}"
            lines["refused"] = campaign.launch_failure
        if campaign.state == Campaign.State.LAUNCHING:
            lines["leaves at"] = f"{campaign.hold_until:%H:%M:%S} UTC"
        if campaign.local_time is not None:
            lines["local"] = f"{campaign.local_time:%Y-%m-%d %H:%M:%S}, over: {campaign.get_passed_display()}"
        if progress.next_wave:
            lines["next wave"] = f"{progress.next_wave}, {progress.next_messages:,} messages"
        if campaign.launched_at is not None:
            rate = f", {progress.rate:,.0f}/s" if progress.rate else ""
            lines["rollout"] = campaign.rollout
            lines["launched"] = f"{campaign.launched_at:%Y-%m-%d %H:%M:%S} UTC"
            lines["sent"] = f"{progress.sent:,} of {progress.total:,}{rate}"
            lines["else"] = f"{progress.failed:,} failed, {progress.in_doubt:,} in doubt, {progress.waiting:,} waiting"
        for name, value in lines.items():
            if value:
                self.stdout.write(f"{name:<9} {value}")


def _time(text: str) -> datetime:
    moment = timestamps.parse(text)
    if moment is None or moment.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} is no time with an offset, such as 2030-01-31T09:00:00+01:00")
    return moment.astimezone(UTC)


def _user(username: str) -> User | None:
    if not username:
        return None
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username!r}.")
    return user
