"""manage.py after_restore --dump-taken-at 2030-01-31T02:00:00Z --lost-at 2030-01-31T14:30:00Z"""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.operations.restored import hold_everything
from notifier.values import timestamps

WHAT = {
    "paused": "paused, it was running: look at the provider's figures, then resume or stop",
    "was_paused": "was paused already: look whether somebody resumed it after the backup, then resume or stop",
    "taken_back": "armed again, its launch was on its way",
    "unplanned": "its planned launch was due: look whether it left, then plan it anew or press GO",
    "schedule": "paused, a slot was due: resume it; slots that passed are left out",
    "armed": "armed: look whether somebody pressed GO after the backup",
}


def _time(text: str) -> datetime:
    moment = timestamps.parse(text)
    if moment is None or moment.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} is no time with an offset, such as 2030-01-31T02:00:00Z")
    return moment.astimezone(UTC)


class Command(BaseCommand):
    help = "After the restore of a backup, before workers start: hold what may have left after the backup was taken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dump-taken-at", type=_time, required=True, help="when pg_dump began")
        parser.add_argument("--lost-at", type=_time, help="when the last worker stopped; now, if it is not given")

    def handle(self, *args: Any, dump_taken_at: datetime, lost_at: datetime | None, **options: Any) -> None:
        lost = lost_at or datetime.now(UTC)
        if dump_taken_at > lost:
            raise CommandError("The backup was taken after the loss: --dump-taken-at is later than --lost-at.")
        ended, held = hold_everything(dump_taken_at, lost)
        for each in held:
            self.stdout.write(f"{each.tenant} {each.id} {each.name!r}: {WHAT[each.what]}")
        self.stdout.write(
            f"{ended} messages ended in doubt (unknown, with a dead letter): look at the provider, then send them again"
            " from the admin."
        )
        self.stdout.write("Now start the workers.")
