"""A real PgBouncer in transaction mode, before a PostgreSQL of the tests."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from notifier.local.processes.child import Program
from notifier.local.processes.drop_privileges import run_as
from notifier.local.processes.ready import log_says

#: sessions of PostgreSQL for each role: fewer than there are processes of the product
SESSIONS = 6
#: the database under this name has one session
ONE_SESSION = "one_session"
_CONFIG = """
[databases]
{database} = host=127.0.0.1 port={server} dbname={database}
{one} = host=127.0.0.1 port={server} dbname={database} pool_size=1

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 1000
query_wait_timeout = 60
admin_users = notifier_engine
"""


def find_pgbouncer() -> str | None:
    """The path of the program; None where it is not installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass(frozen=True)
class Pooler:
    """Its files are in `<folder>/pgbouncer`. `passwords`: of the roles that may connect."""

    folder: Path
    port: int
    #: DATABASE_URL of the server behind it
    server: str
    passwords: Mapping[str, str]

    def program(self) -> Program:
        folder, server, identity = self.folder / "pgbouncer", urlsplit(self.server), run_as()
        folder.mkdir(parents=True, exist_ok=True)
        users, config = folder / "users", folder / "config"
        users.write_text("".join(f'"{role}" "{password}"\n' for role, password in self.passwords.items()))
        config.write_text(
            _CONFIG.format(
                database=server.path.strip("/"),
                server=server.port,
                port=self.port,
                users=users,
                sessions=SESSIONS,
                one=ONE_SESSION,
            )
        )
        identity.chown(folder, users, config)
        return Program(
            name="pgbouncer",
            argv=(*identity.prefix, find_pgbouncer() or "pgbouncer", str(config)),
            env=os.environ,
            cwd=folder,
            ready=log_says(r"process up"),
            stop_signal=signal.SIGINT,
            stop_order=0,
            user=identity.user,
        )

    def url(self, role: str, database: str = "") -> str:
        name = database or urlsplit(self.server).path.strip("/")
        return f"postgres://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{name}"
