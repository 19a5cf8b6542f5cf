"""The stack as `make up` runs it, but it sends to a sink instead of our own sandbox, without Django's debug mode."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psycopg

from bench.meter import Meter
from bench.profile import NAMES_THREADS, Profile
from bench.sinks.base import SinkAddress
from notifier.demo.client import Client
from notifier.local.console import Say
from notifier.local.stack import Stack

SETTINGS = {
    "DEBUG": "0",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "0",
    "LOG_LEVEL": "WARNING",
    # more than one machine accepts: the cost of the limits is measured, and not the limits
    "RATE_LIMIT_REQUESTS": "1000000",
    "RATE_LIMIT_RECIPIENTS": "1000000",
}
#: seconds within which an idle PostgreSQL backend reports its changes (PGSTAT_IDLE_INTERVAL, plus one)
STATS_DELAY = 11.0
SENDERS = ("worker:push", "worker:push.bulk")

_CREATE_TENANTS = """
import json
from tenants.bootstrap import create_tenant
from tenants.models import Tenant
first = Tenant.objects.count()
for number in range(first, first + {count}):
    made = create_tenant(f"Bench {{number}}", f"bench-{{number}}")
    print("made", json.dumps([str(made.tenant.pk), made.live_key]))
"""


class BenchSite(Stack):
    """`with BenchSite(folder, address, …) as site: site.up()`. A test starts the workers of the inbox only if a part
    needs them (`in_app`)."""

    def __init__(
        self,
        root: Path,
        address: SinkAddress,
        say: Say,
        *,
        test: bool,
        in_app: bool = True,
        profile: Profile | None = None,
    ) -> None:
        # servers named in the environment are not used: the bench could not count their cost
        environ = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "WEB_DATABASE_URL", "REDIS_URL")}
        super().__init__(root, test=test, environ=environ, say=say)
        self.address = address
        self.in_app = in_app or not test
        self.profile = profile

    @property
    def env(self) -> dict[str, str]:
        # as many web processes as cores, as in production on this machine
        web = {"WEB_CONCURRENCY": "1" if self.test else str(os.cpu_count() or 1), "SITE_URL": "https://127.0.0.1"}
        # the mail account of the part `email` is no sandbox account, so it trusts what the system trusts
        trust = {"SSL_CERT_FILE": str(self.address.ca)}
        names = {"PYTHONPATH": str(NAMES_THREADS)} if self.profile else {}
        return {**super().env, **SETTINGS, **web, **trust, **names, "DJANGO_SETTINGS_MODULE": "notifier.settings"}

    @property
    def settings(self) -> dict[str, str]:
        return {**super().settings, "SANDBOX_URL": self.address.origin, "SANDBOX_CA": str(self.address.ca)}

    def up(self) -> None:
        self.migrate()
        queues = [queue.name for queue in self.queues if self.in_app or not queue.name.startswith("in_app")]
        self.start("web", "beat", *(f"worker:{name}" for name in queues))

    def restart_senders(self) -> None:
        """Replace the sending processes by new ones."""
        for name in SENDERS:
            self.restart(name)

    @property
    def pids_by_part(self) -> dict[str, list[int]]:
        """The process ids of every part of the stack."""
        pids: dict[str, list[int]] = {}
        for name, child in self._all().items():
            if child.pid is not None:
                part = ":".join(name.split(":")[:2])
                pids.setdefault(part, []).append(child.pid)
        return pids

    @contextmanager
    def measured(self, name: str, *memory_of: str) -> Iterator[Meter]:
        """Measure the block; with a profile, also each process and thread under this name."""
        profiled = self.profile.part(name, self.pids_by_part) if self.profile else nullcontext()
        with profiled, Meter(self.pids_by_part, *memory_of) as meter:
            yield meter

    def create_tenants(self, count: int) -> list[tuple[str, Client]]:
        """New tenants in the sandbox, where every tenant begins: (id, API client with its key)."""
        command = self.manage("shell", "-c", _CREATE_TENANTS.format(count=count))
        created = [json.loads(line[5:]) for line in command.stdout.splitlines() if line.startswith("made ")]
        if len(created) != count:
            raise RuntimeError(f"no tenants were created:\n{command.stdout}{command.stderr}")
        return [(tenant_id, Client(self.url, key)) for tenant_id, key in created]

    def vacuum(self) -> None:
        """Clean up after an import or a campaign, so that the next campaign does not pay for it: 3.5 s of CPU. Waits
        for the backends' reports first; a later report would make autovacuum clean up again."""
        if not self.test:
            time.sleep(STATS_DELAY)
        with self.database() as database:
            database.execute("VACUUM (ANALYZE)")

    def database_bytes(self) -> int:
        """The size of the database's tables and indexes, without the write-ahead log."""
        with self.database() as database:
            row = database.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(str(row[0])) if row else 0

    def database(self) -> psycopg.Connection[tuple[object, ...]]:
        """As the role that owns the tables; each statement is its own transaction."""
        return psycopg.connect(self.settings["DATABASE_URL"], autocommit=True)
