"""The Celery task of the inbox; the schedule is in `notifier.celery`."""

from __future__ import annotations

from celery import shared_task

from inbox.store.snoozes import wake_due
from notifier.delivery.infra.database_clock import database_now


@shared_task(name="inbox.sweep", ignore_result=True)
def sweep() -> None:
    """Every five seconds: bring back snoozed messages that are due."""
    wake_due(database_now())
