"""The stack as `make up` runs it, but pointed at a sink instead of our own sandbox, and without Django's debug mode."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import psycopg

from bench.sinks.base import Place
from notifier.demo.client import Client
from notifier.local.console import Say
from notifier.local.stack import Stack

PLAIN = {
    "DEBUG": "0",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "0",
    "LOG_LEVEL": "WARNING",
}
#: seconds in which an idle backend of PostgreSQL says what it has changed (PGSTAT_IDLE_INTERVAL, and one more)
SAID = 11.0
SENDERS = ("worker:push", "worker:push.bulk")

_MAKE = """
import json
from tenants.bootstrap import create_tenant
for number in range({count}):
    made = create_tenant(f"Bench {{number}}", f"bench-{{number}}")
    print("made", json.dumps([str(made.tenant.pk), made.live_key]))
"""


class BenchSite(Stack):
    """`with BenchSite(folder, place, …) as site: site.up()`. In a test only what a push needs is started."""

    def __init__(self, root: Path, place: Place, say: Say, *, test: bool) -> None:
        # servers of the environment are not used: their cost could not be counted
        environ = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "WEB_DATABASE_URL", "REDIS_URL")}
        super().__init__(root, test=test, environ=environ, say=say)
        self.place = place

    @property
    def env(self) -> dict[str, str]:
        # what a person would run on this machine: as many web processes as cores
        web = {"WEB_CONCURRENCY": "1" if self.test else str(os.cpu_count() or 1), "SITE_URL": "https://127.0.0.1"}
        return {**super().env, **PLAIN, **web, "DJANGO_SETTINGS_MODULE": "notifier.settings"}

    @property
    def settings(self) -> dict[str, str]:
        return {**super().settings, "SANDBOX_URL": self.place.origin, "SANDBOX_CA": str(self.place.ca)}

    def up(self) -> None:
        self.migrate()
        queues = [queue.name for queue in self.queues if not (self.test and queue.name.startswith("in_app"))]
        self.start("web", "beat", *(f"worker:{name}" for name in queues))

    def renew_senders(self) -> None:
        """New processes in place of those that send."""
        for name in SENDERS:
            self.restart(name)

    @property
    def roots(self) -> dict[str, list[int]]:
        """The process ids of every part of the stack."""
        found: dict[str, list[int]] = {}
        for name, child in self._all().items():
            if child.pid is not None:
                part = ":".join(name.split(":")[:2])
                found.setdefault(part, []).append(child.pid)
        return found

    def tenants(self, count: int) -> list[tuple[str, Client]]:
        """New tenants, in the sandbox as every tenant is at first: (id, API with its key)."""
        done = self.manage("shell", "-c", _MAKE.format(count=count))
        made = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("made ")]
        if len(made) != count:
            raise RuntimeError(f"no tenants were made:\n{done.stdout}{done.stderr}")
        return [(tenant_id, Client(self.url, key)) for tenant_id, key in made]

    def vacuum(self) -> None:
        """What an import or a campaign leaves to the database to clear away is not the next one's cost: 3.5 s of CPU.
        Autovacuum would do it again if a backend said only afterwards what it had changed."""
        if not self.test:
            time.sleep(SAID)
        with self.database() as database:
            database.execute("VACUUM (ANALYZE)")

    def database(self) -> psycopg.Connection[tuple[object, ...]]:
        """As the role that owns the tables; each statement is its own transaction."""
        return psycopg.connect(self.settings["DATABASE_URL"], autocommit=True)
