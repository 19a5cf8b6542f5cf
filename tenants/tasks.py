"""The Celery tasks of tenants and people."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone

from tenants import audit, audit_heads
from tenants.imports import jobs
from tenants.login import lockout
from tenants.models import IdempotencyKey

#: the field keeps an Idempotency-Key for at least a day (Stripe, Knock, Novu)
KEPT = timedelta(days=2)


@shared_task(name="tenants.audit_chain")
def audit_chain() -> int:
    """Chain the audit rows of the last seconds."""
    return audit.chain_batch()


@shared_task(name="tenants.audit_heads")
def write_audit_heads() -> int:
    """Write the ends of the chains to the log, which the database cannot change."""
    return audit_heads.log_heads()


@shared_task(name="tenants.forget_keys")
def forget_keys() -> int:
    """Remove idempotency keys that nobody retries with any more."""
    old = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT)
    return int(old.delete()[0])


@shared_task(name="tenants.forget_sessions")
def forget_sessions() -> int:
    """Remove the sessions that are over."""
    return int(Session.objects.filter(expire_date__lt=timezone.now()).delete()[0])


@shared_task(name="tenants.forget_failed_logins")
def forget_failed_logins() -> int:
    """Remove the failed logins that no longer count."""
    return lockout.delete_expired()


@shared_task(name="tenants.imports")
def imports() -> int:
    """Run every import that waits: rung by an upload, and by the clock in case that ring was lost."""
    return jobs.run_waiting()
