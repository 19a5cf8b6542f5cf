"""manage.py import_consents --tenant acme consents.csv"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifier.channels import channels
from tenants import audit
from tenants.imports.consents import import_consents
from tenants.imports.csv_file import UnreadableFile
from tenants.models import Tenant


class Command(BaseCommand):
    help = "Import consents from a CSV file: external_id, category, channel, consent, at, source."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("file", help="path of the file")

    def handle(self, *args: Any, tenant: str, file: str, **options: Any) -> None:
        owner = Tenant.objects.filter(slug=tenant).first()
        if owner is None:
            raise CommandError(f"There is no tenant {tenant!r}.")
        try:
            with Path(file).open("rb") as source:
                result = import_consents(owner.pk, source, channels())
        except UnreadableFile as error:
            raise CommandError(f"{file} was refused and nothing was changed. {error.message}") from error
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from error
        audit.record(
            owner.pk, "consents.imported", detail={"applied": result.applied, "left_out": len(result.problems)}
        )
        for problem in result.problems:
            self.stdout.write(f"line {problem.line}: {problem.reason}")
        self.stdout.write(f"{result.applied:,} applied, {len(result.problems):,} left out")
