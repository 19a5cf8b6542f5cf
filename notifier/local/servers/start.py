"""Starts the two servers of a stack under its folder, or takes those that DATABASE_URL and REDIS_URL name."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from notifier.local.console import Say, say
from notifier.local.processes.child import Child, ProcessFailed
from notifier.local.processes.programs import PROJECT
from notifier.local.processes.run_parallel import run_parallel
from notifier.local.servers import roles, sources
from notifier.local.servers.ports import free_port
from notifier.local.servers.postgres import Postgres
from notifier.local.servers.valkey import Valkey

Server = TypeVar("Server", Postgres, Valkey)
#: another process may take a free port between its choice and the start of the server
PORT_IN_USE = "address already in use"
#: the backends of a killed PostgreSQL end some milliseconds later
STILL_IN_USE = "still in use"


@dataclass
class Servers:
    """`environ` may name servers to use instead; `test` trades durability for speed."""

    folder: Path
    secrets: Mapping[str, str]
    environ: Mapping[str, str]
    test: bool = False
    say: Say = say
    children: dict[str, Child] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    closed: bool = False

    @property
    def own_database(self) -> bool:
        return not self.environ.get("DATABASE_URL")

    def start(self) -> dict[str, str]:
        """Start the servers that `environ` does not name. Returns DATABASE_URL, WEB_DATABASE_URL and REDIS_URL."""
        for urls in run_parallel([self._start_postgres, self._start_valkey]):
            self.urls.update(urls)
        return self.urls

    def stop(self) -> None:
        self.closed = True
        run_parallel([child.stop for child in self.children.values()])

    def restart(self, name: str) -> None:
        """Start a stopped or killed server again, on the same port and data."""
        self._start_with_retries(name, lambda: Child(self.children[name].program, self.folder, self.say), STILL_IN_USE)

    def _start_postgres(self) -> dict[str, str]:
        if not self.own_database:
            return {key: _required(self.environ, key) for key in ("DATABASE_URL", "WEB_DATABASE_URL")}
        postgres = self._start_listening("postgres", self._try_postgres)
        engine, web = self.secrets["ENGINE_PASSWORD"], self.secrets["WEB_PASSWORD"]
        roles.make_roles(postgres.admin_url(), engine, web)
        if self.test:
            roles.allow_skipping_triggers(postgres.admin_url())
        name = f"notifier_{sources.migrations_digest(PROJECT)}"
        roles.make_database(postgres.admin_url(), name)
        return {
            "DATABASE_URL": postgres.url(roles.ENGINE, engine, name),
            "WEB_DATABASE_URL": postgres.url(roles.WEB, web, name),
        }

    def _start_valkey(self) -> dict[str, str]:
        if self.environ.get("REDIS_URL"):
            return {"REDIS_URL": self.environ["REDIS_URL"]}
        return {"REDIS_URL": self._start_listening("valkey", self._try_valkey).url()}

    def _try_postgres(self) -> tuple[Postgres, Child]:
        server = Postgres(self.folder, self.secrets["POSTGRES_PASSWORD"], free_port(), self.test)
        server.prepare()
        return server, Child(server.program(), self.folder, self.say)

    def _try_valkey(self) -> tuple[Valkey, Child]:
        server = Valkey(self.folder, self.secrets["REDIS_PASSWORD"], free_port(), self.test)
        server.prepare()
        return server, Child(server.program(), self.folder, self.say)

    def _start_listening(self, name: str, build: Callable[[], tuple[Server, Child]]) -> Server:
        built: list[Server] = []

        def child() -> Child:
            server, child = build()
            built.append(server)
            return child

        self._start_with_retries(name, child, PORT_IN_USE)
        return built[-1]

    def _start_with_retries(self, name: str, build: Callable[[], Child], transient_error: str) -> None:
        """Start the child, in up to three tries while it fails with this transient error."""
        for last in (False, False, True):
            if self.closed:
                raise ProcessFailed("the servers are being stopped")
            self.children[name] = child = build()
            try:
                return child.start()
            except ProcessFailed as failed:
                if last or transient_error not in str(failed).lower():
                    raise
                time.sleep(0.3)


def _required(environ: Mapping[str, str], key: str) -> str:
    if not environ.get(key):
        raise ProcessFailed(f"DATABASE_URL is set, so {key} must be set as well (the role bound by row-level security)")
    return environ[key]
