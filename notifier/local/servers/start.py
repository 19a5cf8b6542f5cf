"""The two servers of a stack: our own under its folder, or those that DATABASE_URL and REDIS_URL name."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from notifier.local.console import Say, say
from notifier.local.processes.child import Child, Failed
from notifier.local.processes.programs import PROJECT
from notifier.local.processes.run_parallel import run_parallel
from notifier.local.servers import roles, sources
from notifier.local.servers.ports import free_port
from notifier.local.servers.postgres import Postgres
from notifier.local.servers.valkey import Valkey

Server = TypeVar("Server", Postgres, Valkey)
#: between choosing a free port and listening on it, somebody else may take it
PORT_TAKEN = "address already in use"
#: the backends of a killed PostgreSQL end by themselves, some milliseconds later
STILL_LEAVING = "still in use"


@dataclass
class Servers:
    """`environ` may name servers to use instead of our own; `test` trades durability for speed."""

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
        """Start what is ours, and return DATABASE_URL, WEB_DATABASE_URL and REDIS_URL."""
        for urls in run_parallel([self._start_postgres, self._start_valkey]):
            self.urls.update(urls)
        return self.urls

    def stop(self) -> None:
        self.closed = True
        run_parallel([child.stop for child in self.children.values()])

    def start_again(self, name: str) -> None:
        """On the same port and data, after a stop or a kill."""
        self._persist(name, lambda: Child(self.children[name].program, self.folder, self.say), STILL_LEAVING)

    def _start_postgres(self) -> dict[str, str]:
        if not self.own_database:
            return {key: _required(self.environ, key) for key in ("DATABASE_URL", "WEB_DATABASE_URL")}
        postgres = self._listening("postgres", self._try_postgres)
        engine, web = self.secrets["ENGINE_PASSWORD"], self.secrets["WEB_PASSWORD"]
        roles.make_roles(postgres.admin_url(), engine, web)
        name = f"notifier_{sources.tables(PROJECT)}"
        roles.make_database(postgres.admin_url(), name)
        return {
            "DATABASE_URL": postgres.url(roles.ENGINE, engine, name),
            "WEB_DATABASE_URL": postgres.url(roles.WEB, web, name),
        }

    def _start_valkey(self) -> dict[str, str]:
        if self.environ.get("REDIS_URL"):
            return {"REDIS_URL": self.environ["REDIS_URL"]}
        return {"REDIS_URL": self._listening("valkey", self._try_valkey).url()}

    def _try_postgres(self) -> tuple[Postgres, Child]:
        server = Postgres(self.folder, self.secrets["POSTGRES_PASSWORD"], free_port(), self.test)
        server.prepare()
        return server, Child(server.program(), self.folder, self.say)

    def _try_valkey(self) -> tuple[Valkey, Child]:
        server = Valkey(self.folder, self.secrets["REDIS_PASSWORD"], free_port(), self.test)
        server.prepare()
        return server, Child(server.program(), self.folder, self.say)

    def _listening(self, name: str, build: Callable[[], tuple[Server, Child]]) -> Server:
        built: list[Server] = []

        def child() -> Child:
            server, child = build()
            built.append(server)
            return child

        self._persist(name, child, PORT_TAKEN)
        return built[-1]

    def _persist(self, name: str, build: Callable[[], Child], passing: str) -> None:
        """Three tries, if what stands in the way passes."""
        for last in (False, False, True):
            if self.closed:
                raise Failed("the servers are being stopped")
            self.children[name] = child = build()
            try:
                return child.start()
            except Failed as failed:
                if last or passing not in str(failed).lower():
                    raise
                time.sleep(0.3)


def _required(environ: Mapping[str, str], key: str) -> str:
    if not environ.get(key):
        raise Failed(f"DATABASE_URL is set, so {key} must be set as well (the role bound by row-level security)")
    return environ[key]
