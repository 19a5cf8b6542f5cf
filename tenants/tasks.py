"""The Celery tasks of tenants and people; the schedule is in `notifier.celery`."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone

from tenants import audit, audit_heads, erasure
from tenants.imports import jobs, left_out
from tenants.login import lockout, login_sessions
from tenants.models import IdempotencyKey

#: Stripe, Knock and Novu keep an Idempotency-Key for at least a day
IDEMPOTENCY_KEYS_KEPT = timedelta(days=2)
KEYS_AT_ONCE = 5_000


@shared_task(name="tenants.audit_chain")
def audit_chain() -> int:
    """Chain the audit rows that are new."""
    return audit.chain_batch()


@shared_task(name="tenants.audit_heads")
def write_audit_heads() -> int:
    """Write the heads of the audit chains to the log, which the database cannot change."""
    return audit_heads.log_heads()


@shared_task(name="tenants.forget_keys")
def forget_keys() -> int:
    """Delete idempotency keys that are too old for a retry, a batch in each transaction."""
    old, deleted = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - IDEMPOTENCY_KEYS_KEPT), 0
    while batch := list(old.order_by("created_at").values_list("pk", flat=True)[:KEYS_AT_ONCE]):
        deleted += IdempotencyKey.objects.filter(pk__in=batch).delete()[0]
    return deleted


@shared_task(name="tenants.forget_sessions")
def forget_sessions() -> int:
    """Delete expired sessions. Returns how many."""
    ended = login_sessions.delete_expired()
    return ended + int(Session.objects.filter(expire_date__lt=timezone.now()).delete()[0])


@shared_task(name="tenants.forget_failed_logins")
def forget_failed_logins() -> int:
    """Delete failed logins that no longer count."""
    return lockout.delete_expired()


@shared_task(name="tenants.erase", ignore_result=True)
def erase() -> None:
    """Every 10 seconds: go on with the erasures of people."""
    erasure.run_open(timezone.now())


@shared_task(name="tenants.imports")
def imports() -> int:
    """Run every waiting import. An upload posts this task; the schedule repeats it in case that message was lost."""
    return jobs.run_waiting()


@shared_task(name="tenants.forget_left_out_rows")
def forget_left_out_rows() -> int:
    """Delete the files of rows that imports left out, a week after the import, and uploads that ended imports left."""
    return jobs.delete_uploads() + left_out.delete_old(timezone.now())
