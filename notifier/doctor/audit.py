"""The audit chains, in their quick form, and the level of load."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from django.utils import timezone

from notifier.doctor.findings import Finding, error, warning
from notifier.doctor.registry import Options, Server, register
from notifier.vocabulary.load import Level
from tenants import audit
from tenants.load_shedding import read_state
from tenants.models import AuditLog, Tenant

BROKEN = error("audit-chain", "A row was changed or removed.", "`manage.py verify_audit`; then compare with a backup")
UNCHAINED = warning("audit-lag", "A change to them would not be noticed yet.", "start beat and the worker `control`")
SHEDDING = warning("shedding", "Marketing, digests and imports wait.", "docs/load-shedding.md")
#: links at the end of each chain that are compared; `verify_audit` compares all
LAST_LINKS = 20
UNCHAINED_FOR = timedelta(minutes=5)


def chains(options: Options) -> Iterator[Finding]:
    for tenant in Tenant.objects.order_by("pk"):
        rows = AuditLog.objects.filter(tenant_id=tenant.pk, chain__isnull=False).order_by("-chain")[:LAST_LINKS]
        newest_first = list(rows)
        for row, before in pairwise(newest_first):
            if bytes(row.chain or b"") != audit.next_link(bytes(before.chain or b""), row):
                yield BROKEN.says(f"Row {row.pk} of the audit log of {tenant.slug} does not fit the row before it.")
                break


def unchained(options: Options) -> Iterator[Finding]:
    old = AuditLog.objects.filter(chain__isnull=True, at__lt=timezone.now() - UNCHAINED_FOR)
    if count := old.count():
        yield UNCHAINED.says(f"{count} rows of the audit log are in no chain yet.")


def load(options: Options) -> Iterator[Finding]:
    state = read_state()
    if state.level is not Level.NORMAL:
        yield SHEDDING.says(f"Load is shed ({state.cause or 'by an operator'}).")


def register_checks() -> None:
    register("audit chains", chains, Server.DATABASE)
    register("age of the audit chains", unchained, Server.DATABASE)
    register("load", load, Server.DATABASE)
