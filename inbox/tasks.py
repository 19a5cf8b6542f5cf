"""The Celery task of the inbox; the schedule is in `notifier.celery`."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from inbox.store.snoozes import wake_due


@shared_task(name="inbox.sweep", ignore_result=True)
def sweep() -> None:
    """Every five seconds: bring back snoozed messages that are due."""
    wake_due(timezone.now())
