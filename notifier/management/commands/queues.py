"""`manage.py queues`: the workers that a site needs, one `queue concurrency nodes` per line."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand

from notifier.channels import channels
from notifier.channels.queues import BATCH, RECEIPTS, is_bulk, queue_of, queues
from notifier.providers import providers
from notifier.vocabulary.status import Lane

#: queues whose tasks compute: a process with one task for each core
PROCESSOR_BOUND = (BATCH, RECEIPTS)


class Command(BaseCommand):
    help = "Print every queue with the concurrency and the number of worker nodes that fit this machine."

    def handle(self, *args: Any, **options: Any) -> None:
        cores = os.cpu_count() or 1
        over_network = {kind.channel for kind in providers().values() if not kind.builtin}
        # a channel where a repeat hurts has so few messages in flight (SMS: 20) that one process carries them
        many_in_flight = {queue_of(name, Lane.BULK) for name in over_network if channels()[name].repeat_when_in_doubt}
        for queue in queues():
            # a bulk sender has many requests in flight: one node a core, each with one task at a time, keeps its
            # connections warm; a queue whose tasks only write to the database needs one node
            nodes = cores if queue in many_in_flight or queue in PROCESSOR_BOUND else 1
            # for single messages, one task claims while the other waits for the database to write
            concurrency = 1 if is_bulk(queue) or queue in PROCESSOR_BOUND else 2
            self.stdout.write(f"{queue} {concurrency} {nodes}")
