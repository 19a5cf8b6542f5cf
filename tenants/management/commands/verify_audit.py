"""manage.py verify_audit [--tenant acme] [--heads FILE]"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from notifier.errors import InvalidInput
from tenants import audit, audit_heads
from tenants.models import Tenant


class Command(BaseCommand):
    help = (
        "Check the chain of the audit log. Exits with 1 and names the first row that was changed, or before which a "
        "row is missing. With --heads, also checks whether rows are missing at the end."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="the tenant's slug; all tenants when left out")
        parser.add_argument(
            "--heads",
            type=Path,
            metavar="FILE",
            help="a file of chain heads: its heads are compared with the chains, and the present ones are appended. "
            "Keep it off the database's machine. Log lines with the action audit.head are read as well",
        )

    def handle(self, *args: Any, tenant: str | None, heads: Path | None, **options: Any) -> None:
        tenants = Tenant.objects.filter(slug=tenant) if tenant else Tenant.objects.all()
        if tenant and not tenants.exists():
            raise CommandError(f"There is no tenant {tenant!r}.")
        # read before the chains, so that no head is newer than the rows that are checked
        known = _read(heads) if heads else []
        broken = [f"{t.slug}: row {row}" for t in tenants if (row := audit.first_broken_row(t.pk)) is not None]
        if broken:
            raise CommandError("The audit log does not fit its chain at " + "; ".join(broken))
        if heads:
            checked = {str(t.pk) for t in tenants} if tenant else {head.tenant for head in known}
            self._compare(heads, [head for head in known if head.tenant in checked], tenants)
        self.stdout.write("The audit log fits its chain.")

    def _compare(self, path: Path, known: list[audit_heads.ChainHead], tenants: QuerySet[Tenant]) -> None:
        if losses := audit_heads.describe_losses(known):
            raise CommandError("The audit log was cut: " + "; ".join(losses))
        written = {(head.tenant, head.position) for head in known}
        new = [head for head in audit_heads.current_heads(tenants) if (head.tenant, head.position) not in written]
        with path.open("ab") as file:
            file.writelines(map(audit_heads.json_line, new))
        self.stdout.write(f"{len(known)} heads match; {len(new)} new ones are in {path}.")


def _read(path: Path) -> list[audit_heads.ChainHead]:
    try:
        return audit_heads.parse_heads(path.read_bytes().splitlines()) if path.exists() else []
    except (InvalidInput, OSError) as error:
        raise CommandError(f"{path}: {error}") from None
