"""`manage.py queues`: what workers there must be, one `queue concurrency processes` per line."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand

from notifier.celery import queues


class Command(BaseCommand):
    help = "Print every queue with the concurrency and the number of worker processes that fit this machine."

    def handle(self, *args: Any, **options: Any) -> None:
        for queue in queues():
            # a bulk sender multiplexes: one process a core, each with one task at a time, keeps its connections warm
            processes = (os.cpu_count() or 1) if queue == "push.bulk" else 1
            self.stdout.write(f"{queue} {2 if queue == 'control' else 1} {processes}")
