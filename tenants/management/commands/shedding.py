"""`manage.py shedding [on|off|auto] [--for 30m] [--by LOGIN]`: show or set the switch of load shedding."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifier.errors import InvalidInput
from notifier.values.duration import parse_duration
from notifier.vocabulary.load import LoadState, Switch
from tenants.audit import Actor
from tenants.load_shedding import read_state
from tenants.load_shedding.switch import set_switch
from tenants.models import User


class Command(BaseCommand):
    help = (
        "While load is shed, analytics, digests, imports, arming without a plan and marketing messages wait. "
        "on: shed load, for an hour or --for. off: never shed load (until --for). auto: the sweep decides. "
        "Without a word: show the level."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("switch", nargs="?", choices=[switch.value for switch in Switch])
        parser.add_argument("--for", dest="length", metavar="DURATION", help="30s, 10m, 2h; at most 24h")
        parser.add_argument("--by", metavar="LOGIN", help="the operator, for the audit log")

    def handle(self, *args: Any, switch: str | None, length: str | None, by: str | None, **options: Any) -> None:
        if switch is None:
            if length or by:
                raise CommandError("--for and --by need a word before them: on, off or auto.")
            self.stdout.write(describe(read_state()))
            return
        try:
            self.stdout.write(describe(set_switch(Switch(switch), _length(length), Actor(_operator(by)))))
        except InvalidInput as error:
            raise CommandError(f"--{error.field}: {error.message}") from None


def describe(state: LoadState) -> str:
    """The state in one line."""
    until = f" until {state.until.isoformat(timespec='seconds')}" if state.until else ""
    cause = f", cause: {state.cause}" if state.cause and state.active_switch is Switch.AUTO else ""
    return f"level: {state.level}{until}; switch: {state.active_switch}{cause}"


def _length(text: str | None) -> timedelta | None:
    if text is None:
        return None
    length = parse_duration(text)
    if length is None:
        raise CommandError("--for: a whole number and a unit, such as 30s, 10m or 2h.")
    return length


def _operator(login: str | None) -> User | None:
    if login is None:
        return None
    user = User.objects.filter(username=login, is_superuser=True, is_active=True).first()
    if user is None:
        raise CommandError(f"--by: there is no operator {login!r}.")
    return user
