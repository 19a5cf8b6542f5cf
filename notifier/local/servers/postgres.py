"""A PostgreSQL under a folder: initdb once, then a supervised `postgres` on the loopback, with passwords."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from notifier.local.processes.child import ProcessFailed, Program
from notifier.local.processes.drop_privileges import run_as
from notifier.local.processes.pids import started_at
from notifier.local.processes.ready import Running
from notifier.local.servers import binaries

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "wal_compression": "on",
    # planning many partitions costs more than compiled expressions save
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}
#: data of tests need not survive a power cut, but commits stay synchronous, because tests kill the server with -9
TEST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "autovacuum_naptime": "10s",
}


@dataclass(frozen=True)
class Postgres:
    """Its data is in `<folder>/postgres/<major version>`, so a newer major version starts with a new, empty cluster."""

    folder: Path
    password: str
    port: int
    test: bool = False

    @property
    def data(self) -> Path:
        return self.folder / "postgres" / str(binaries.postgres_major())

    def prepare(self) -> None:
        """Create the cluster if there is none, and remove the pid file that a kill -9 left."""
        if not self.data.exists():
            self._initdb()
        self._drop_dead_pid()

    def program(self) -> Program:
        identity = run_as()
        settings = {**SETTINGS, **(TEST_SETTINGS if self.test else {}), "port": str(self.port)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command = [str(binaries.postgres_tool("postgres")), "-D", str(self.data), *options]
        return Program(
            name="postgres",
            argv=(*identity.prefix, *command),
            env={**os.environ, "LC_ALL": "C"},
            cwd=self.folder,
            ready=self._is_ready,
            stop_signal=signal.SIGINT,  # "fast": does not wait until clients disconnect
            grace=20,
            stop_order=0,
            user=identity.user,
        )

    def url(self, user: str, password: str, database: str) -> str:
        return f"postgres://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def admin_url(self, database: str = "postgres") -> str:
        """The URL of the bootstrap superuser, which only makes the roles and the database."""
        return self.url("postgres", self.password, database)

    def _is_ready(self, running: Running) -> bool:
        lines = self._pid_file()
        return len(lines) >= 8 and lines[0].strip() == str(running.pid) and lines[7].strip() == "ready"

    def _pid_file(self) -> list[str]:
        try:
            return self.data.joinpath("postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _drop_dead_pid(self) -> None:
        """Remove the pid file of a process that has ended. PostgreSQL would take a zombie that is never reaped for a
        running server, and refuse to start."""
        lines = self._pid_file()
        if lines and lines[0].strip().isdigit() and started_at(int(lines[0])) is None:
            self.data.joinpath("postmaster.pid").unlink(missing_ok=True)

    def _initdb(self) -> None:
        """Create the cluster in a temporary folder and rename it, so that an interrupted initdb leaves no partial
        cluster."""
        identity = run_as()
        partial, password = self.data.with_name("partial"), self.data.with_name("password")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        password.touch(mode=0o600)
        password.write_text(self.password)
        identity.chown(self.folder, partial.parent, partial, password)
        command = [*identity.prefix, str(binaries.postgres_tool("initdb")), "-D", str(partial), "--username=postgres"]
        command += [f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8", *_locale()]
        uid, gid = identity.user or (None, None)
        result = subprocess.run(
            [*command, *(["--no-sync"] if self.test else [])],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            user=uid,
            group=gid,
            extra_groups=None if gid is None else [],
        )
        password.unlink()
        if result.returncode:
            raise ProcessFailed(f"initdb failed:\n{result.stdout}{result.stderr}")
        partial.rename(self.data)


def _locale() -> list[str]:
    """Options for sort order and case rules that do not depend on the machine; PostgreSQL has them built in since
    17."""
    if binaries.postgres_major() >= 17:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8"]
