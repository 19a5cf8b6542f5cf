"""`manage.py read_bounces`: read the bounce mailboxes now, as beat does every five minutes."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from notifier.delivery.bounces import Read, accounts_with_mailbox, read_mailbox
from notifier.models import ProviderAccount

#: mailboxes that are read at once, so that one that does not answer delays no other
AT_ONCE = 8


class Command(BaseCommand):
    help = "Read bounces and complaints from the mailboxes that accounts of the provider smtp name."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", type=uuid.UUID, help="The id of an account: read its mailbox only.")

    def handle(self, *args: Any, **options: Any) -> None:
        groups = list(accounts_with_mailbox().values())
        if options["account"] is not None:
            groups = [group for group in groups if any(account.id == options["account"] for account in group)]
            if not groups:
                raise CommandError("This account names no bounce mailbox, or is disabled.")
        if not groups:
            self.stdout.write("No account names a bounce mailbox.")
        with ThreadPoolExecutor(AT_ONCE) as threads:
            results = list(threads.map(_read, groups))
        for group, result in zip(groups, results, strict=True):
            names = ", ".join(account.name for account in group)
            outcome = f"{result.reports} reports, {result.others} other messages"
            self.stdout.write(f"{names}: {outcome}{f'; {result.error}' if result.error else ''}")
        if any(result.error for result in results):
            raise CommandError("Not every mailbox could be read.")


def _read(accounts: list[ProviderAccount]) -> Read:
    try:
        return read_mailbox(accounts)
    finally:
        connection.close()
