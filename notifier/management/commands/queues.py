"""`manage.py queues`: what workers there must be, one `queue concurrency processes` per line."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand

from notifier.celery import BATCH, CONTROL, queues


class Command(BaseCommand):
    help = "Print every queue with the concurrency and the number of worker processes that fit this machine."

    def handle(self, *args: Any, **options: Any) -> None:
        cores = os.cpu_count() or 1
        for queue in queues():
            # a bulk sender multiplexes: one process a core, each with one task at a time, keeps its connections warm
            processes = cores if queue == "push.bulk" else 1
            # of single messages one process claims while the other waits for the database to write
            concurrency = {CONTROL: 2, BATCH: cores}.get(queue, 1 if queue.endswith(".bulk") else 2)
            self.stdout.write(f"{queue} {concurrency} {processes}")
