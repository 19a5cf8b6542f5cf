"""manage.py import_recipients --tenant acme file.csv"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants import audit
from tenants.imports import ImportResult, UnreadableFile, import_recipients
from tenants.models import Tenant


class Command(BaseCommand):
    help = "Import recipients from a CSV file (or from standard input, named -). Good rows go in, bad ones are listed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("file", help="path of the file, or - for standard input")

    def handle(self, *args: Any, tenant: str, file: str, **options: Any) -> None:
        owner = _tenant(tenant)
        try:
            result = self._import(owner, file)
        except UnreadableFile as error:
            raise CommandError(f"{file} was refused and nothing was changed. {error.message}") from error
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from error
        counts = {"created": result.created, "updated": result.updated, "devices": result.devices}
        audit.record(owner.pk, "import.done", detail={**counts, "rejected": result.rejected})
        self._report(result)

    def _import(self, owner: Tenant, file: str) -> ImportResult:
        if file == "-":
            return import_recipients(owner.pk, sys.stdin.buffer, self._progress)
        with Path(file).open("rb") as source:
            return import_recipients(owner.pk, source, self._progress)

    def _progress(self, result: ImportResult) -> None:
        self.stderr.write(f"{result.rows:,} rows read, {result.rejected:,} rejected")

    def _report(self, result: ImportResult) -> None:
        for problem in result.problems:
            self.stdout.write(f"line {problem.line}: {problem.reason}")
        not_listed = result.rejected - len(result.problems)
        if not_listed:
            self.stdout.write(f"… and {not_listed:,} more")
        for column in result.columns:
            self.stdout.write(f"attribute {column}")
        self.stdout.write(
            f"{result.rows:,} rows: {result.created:,} created, {result.updated:,} updated, "
            f"{result.unchanged:,} unchanged, {result.devices:,} devices added or moved, {result.rejected:,} rejected"
        )


def _tenant(slug: str) -> Tenant:
    try:
        return Tenant.objects.get(slug=slug)
    except Tenant.DoesNotExist:
        known = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(f"There is no tenant {slug!r}. Known: {known or 'none'}.") from None
