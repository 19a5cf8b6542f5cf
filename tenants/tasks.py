"""The Celery tasks of tenants and people."""

from __future__ import annotations

from celery import shared_task

from tenants import audit
from tenants.imports import jobs


@shared_task(name="tenants.audit_chain")
def audit_chain() -> int:
    """Chain the audit rows of the last seconds."""
    return audit.chain_batch()


@shared_task(name="tenants.imports")
def imports() -> int:
    """Run every import that waits: rung by an upload, and by the clock in case that ring was lost."""
    return jobs.run_waiting()
