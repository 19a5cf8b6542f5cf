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
        "Check the chain of the audit log; exit 1 and name the first row that was changed or is missing before it. "
        "With --heads, also whether rows are missing at the end."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="the tenant's slug; all tenants when left out")
        parser.add_argument(
            "--heads",
            type=Path,
            metavar="FILE",
            help="where the chains ended so far: read, compared, and written on. Keep it off the database's machine. "
            "Lines of the log with the action audit.head are read as well",
        )

    def handle(self, *args: Any, tenant: str | None, heads: Path | None, **options: Any) -> None:
        tenants = Tenant.objects.filter(slug=tenant) if tenant else Tenant.objects.all()
        if tenant and not tenants.exists():
            raise CommandError(f"There is no tenant {tenant!r}.")
        # read before the chains are, or rows that come meanwhile would look like rows that nobody signed
        known = _read(heads) if heads else []
        broken = [f"{t.slug}: row {row}" for t in tenants if (row := audit.first_broken_row(t.pk)) is not None]
        if broken:
            raise CommandError("The audit log does not fit its chain at " + "; ".join(broken))
        if heads:
            asked = {str(t.pk) for t in tenants} if tenant else {head.tenant for head in known}
            self._compare(heads, [head for head in known if head.tenant in asked], tenants)
        self.stdout.write("The audit log fits its chain.")

    def _compare(self, path: Path, known: list[audit_heads.ChainHead], tenants: QuerySet[Tenant]) -> None:
        if lost := audit_heads.describe_losses(known):
            raise CommandError("The audit log was cut: " + "; ".join(lost))
        written = {(head.tenant, head.position) for head in known}
        new = [head for head in audit_heads.current_heads(tenants) if (head.tenant, head.position) not in written]
        with path.open("ab") as file:
            file.writelines(map(audit_heads.json_line, new))
        self.stdout.write(f"{len(known)} heads hold; {len(new)} new ones are in {path}.")


def _read(path: Path) -> list[audit_heads.ChainHead]:
    try:
        return audit_heads.parse_heads(path.read_bytes().splitlines()) if path.exists() else []
    except (InvalidInput, OSError) as error:
        raise CommandError(f"{path}: {error}") from None
