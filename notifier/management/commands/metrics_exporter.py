"""`manage.py metrics_exporter`: answers Prometheus on a machine that runs workers and no web process."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from notifier.metrics.scraping.exporter import PATH, server_at


class Command(BaseCommand):
    help = "Answer scrapes of Prometheus with what the processes of this machine recorded in METRICS_DIR."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (127.0.0.1)")
        parser.add_argument("--port", type=int, default=9464, help="the port (9464); 0: any free one")
        parser.add_argument(
            "--processes-only",
            action="store_true",
            help="without the facts of the installation, which one exporter of all machines should tell",
        )

    def handle(self, *args: Any, host: str, port: int, processes_only: bool, **options: Any) -> None:
        server = server_at(host, port, installation=not processes_only)
        for number in (signal.SIGTERM, signal.SIGINT):
            # shutdown waits for the loop, which this thread runs
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        self.stdout.write(f"http://{host}:{server.server_address[1]}{PATH}")
        self.stdout.flush()
        server.serve_forever()
        server.server_close()
