"""manage.py retention: what is too old, its deletion, and a tenant's choice.

manage.py retention --dry-run                          rows and bytes by tenant and table, and whole months
manage.py retention                                    delete now what the task deletes within the hour
manage.py retention --tenant acme                      what holds for a tenant
manage.py retention --tenant acme --messages 30 --counts default
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from notifier.delivery.retention import partitions
from notifier.errors import InvalidInput
from notifier.vocabulary.retention import Keep
from tenants import audit
from tenants.audit import Actor
from tenants.models import Tenant
from tenants.retention.periods import COLUMNS, all_cutoffs, bounds, check_days, days_of
from tenants.retention.registry import Pace
from tenants.retention.run import preview, run

_DEFAULT = "default"


def _days(text: str) -> str | int:
    if text == _DEFAULT:
        return text
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"must be a number of days, or {_DEFAULT}") from None


class Command(BaseCommand):
    help = "Say or delete what is older than its tenant keeps it, and set how long a tenant keeps it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be deleted, and delete nothing")
        parser.add_argument("--tenant", default="", help="the tenant's slug")
        parser.add_argument("--seconds", type=float, default=3600.0, help="stop deleting after this time")
        for keep in Keep:
            parser.add_argument(f"--{keep.value}", type=_days, help=f"days that {keep.value} are kept, or {_DEFAULT}")

    def handle(self, *args: Any, tenant: str, dry_run: bool, seconds: float, **options: Any) -> None:
        chosen = {keep: options[keep.value] for keep in Keep if options[keep.value] is not None}
        found = Tenant.objects.filter(slug=tenant).first()
        if found is None and (tenant or chosen):
            raise CommandError(f"There is no tenant {tenant!r}." if tenant else "Say which tenant: --tenant acme")
        if found is not None and chosen:
            self._choose(found, chosen)
        if dry_run:
            self._preview(tenant)
        elif found is not None:
            self._show(found)
        elif not settings.RETENTION:
            raise CommandError("RETENTION is off: nothing is deleted. See --dry-run.")
        else:
            self.stdout.write(f"{run(datetime.now(UTC), Pace(seconds)):,} rows deleted.")

    def _choose(self, tenant: Tenant, chosen: dict[Keep, Any]) -> None:
        try:
            days = {
                COLUMNS[keep]: check_days(keep, None if value == _DEFAULT else value) for keep, value in chosen.items()
            }
        except InvalidInput as error:
            raise CommandError(error.message) from error
        with transaction.atomic():
            Tenant.objects.filter(pk=tenant.pk).update(**days)
            audit.record(tenant.pk, "tenant.retention_changed", tenant.pk, days, by=Actor())
        tenant.refresh_from_db()

    def _show(self, tenant: Tenant) -> None:
        for keep in Keep:
            limits = bounds(keep)
            self.stdout.write(
                f"{tenant.slug}: {keep.value} are kept {days_of(tenant, keep)} days"
                f" (usual: {limits.usual}, at most {limits.most})"
            )

    def _preview(self, slug: str) -> None:
        now, rows, size = datetime.now(UTC), 0, 0
        for old in preview(now, slug):
            self._line(old.tenant, old.amount.table, old.amount.rows, old.amount.size)
            rows, size = rows + old.amount.rows, size + old.amount.size
        cutoffs = [] if slug else all_cutoffs(now)
        for amount in partitions.preview(cutoffs[0].longest) if cutoffs else ():
            self._line("(a whole month)", amount.table, amount.rows, amount.size)
            rows, size = rows + amount.rows, size + amount.size
        self._line("together", "", rows, size)

    def _line(self, tenant: str, table: str, rows: int, size: int) -> None:
        self.stdout.write(f"{tenant:24} {table:32} {rows:>14,} rows {size:>16,} bytes")
