"""manage.py verify_audit [--tenant acme]"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants import audit
from tenants.models import Tenant


class Command(BaseCommand):
    help = "Check the chain of the audit log; exit 1 and name the first row that was changed or is missing before it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="the tenant's slug; all tenants when left out")

    def handle(self, *args: Any, tenant: str | None, **options: Any) -> None:
        tenants = Tenant.objects.filter(slug=tenant) if tenant else Tenant.objects.all()
        if tenant and not tenants.exists():
            raise CommandError(f"There is no tenant {tenant!r}.")
        broken = [f"{t.slug}: row {row}" for t in tenants if (row := audit.verify(t.pk)) is not None]
        if broken:
            raise CommandError("The audit log does not fit its chain at " + "; ".join(broken))
        self.stdout.write("The audit log fits its chain.")
