"""`manage.py demo`: a campaign and a notification, end to end, on a running stack. Exits 1 unless ledger and sandbox
agree."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from notifier.demo.console import Console
from notifier.demo.run import run


class Command(BaseCommand):
    help = "Import a CSV, arm and launch a campaign, send one notification, and compare ledger and sandbox."

    def handle(self, *args: Any, **options: Any) -> None:
        if problems := run(Console()):
            raise CommandError("\n".join(problems))
