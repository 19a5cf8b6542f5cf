"""A standby of the tests' PostgreSQL: a base backup that streams what the primary writes."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from notifier.local.processes.child import Program
from notifier.local.processes.drop_privileges import run_as
from notifier.local.servers.binaries import postgres_tool
from notifier.local.servers.postgres import Postgres


@dataclass(frozen=True)
class Standby:
    folder: Path
    port: int
    #: the primary's address for its superuser
    primary: str

    @property
    def _server(self) -> Postgres:
        return Postgres(self.folder / "standby", urlsplit(self.primary).password or "", self.port, test=True)

    def program(self) -> Program:
        """Copies the primary first."""
        server, primary, identity = self._server, urlsplit(self.primary), run_as()
        server.data.parent.mkdir(parents=True, exist_ok=True)
        identity.chown(server.folder, server.data.parent)
        uid, gid = identity.user or (None, None)
        copied = subprocess.run(
            [
                *identity.prefix,
                str(postgres_tool("pg_basebackup")),
                *("--pgdata", str(server.data), "--host", "127.0.0.1", "--port", str(primary.port)),
                *("--username", "postgres", "--checkpoint", "fast", "--write-recovery-conf", "--no-sync"),
            ],
            cwd=server.folder,
            env={**os.environ, "LC_ALL": "C", "PGPASSWORD": primary.password or ""},
            user=uid,
            group=gid,
            extra_groups=None if gid is None else [],
            capture_output=True,
            text=True,
        )
        assert copied.returncode == 0, copied.stderr
        return server.program()

    def drop_dead_pid(self) -> None:
        """After a kill -9."""
        self._server.prepare()

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        """A superuser's connection to the standby."""
        return psycopg.connect(self._server.admin_url(), autocommit=True)

    def url(self, primary_url: str) -> str:
        """The same role and database at the standby."""
        parts = urlsplit(primary_url)
        return f"postgres://{parts.username}:{parts.password}@127.0.0.1:{self.port}{parts.path}"
