"""manage.py erase_recipient --tenant acme --recipient dora"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants import erasure
from tenants.audit import Actor
from tenants.models import Recipient


class Command(BaseCommand):
    help = "Erase a person: name, addresses, attributes, and the content of every message. It cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--recipient", required=True, help="the external id")

    def handle(self, *args: Any, tenant: str, recipient: str, **options: Any) -> None:
        person = Recipient.objects.filter(tenant__slug=tenant, external_id=recipient).first()
        if person is None:
            raise CommandError(f"The tenant {tenant!r} has no recipient {recipient!r}.")
        erased = erasure.request(person, Actor())
        self.stdout.write(f"Nothing is sent to {recipient} from now on; workers erase the rest. Receipt: {erased.pk}")
