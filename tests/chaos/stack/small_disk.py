"""A small disk (tmpfs) that holds the tables that grow, so that it can be full without harm to the machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from notifier.local import secret_file
from notifier.local.processes.drop_privileges import run_as
from tests.chaos.context import Skipped
from tests.chaos.stack.site import ChaosSite

MB = 1 << 20
_SPACE = "chaos_small"
#: room beside what the tables have when they move there, and what a full disk leaves
_ROOM, _LEFT = 16 * MB, 64 * 1024
_TABLES = """
SELECT c.relname, pg_table_size(c.oid) FROM pg_class c
WHERE c.relkind = 'r' AND pg_table_size(c.oid) > 0
  AND c.relname ~ '^(notifier_delivery|notifier_notification|inbox_inboxmessage|campaigns_shardpayload)'
"""


class SmallDisk:
    """Moves the tables there, and back at the end. Raises Skipped where mounting is not permitted."""

    def __init__(self, site: ChaosSite) -> None:
        self._folder = site.root / "small-disk"
        url = urlsplit(site.settings["DATABASE_URL"])
        password = secret_file.load_or_create(site.root / "secrets")["POSTGRES_PASSWORD"]
        self._admin = f"postgres://postgres:{password}@{url.hostname}:{url.port}{url.path}"
        self._tables: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._tables = {str(name): int(size) for name, size in self._ask(_TABLES)}
        self._mount(sum(self._tables.values()) + _ROOM)
        try:
            self._ask(f"CREATE TABLESPACE {_SPACE} LOCATION '{self._folder}'")
            self._move(_SPACE)
        except psycopg.Error:
            self._unmount()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.empty()
        self._move("pg_default")
        self._ask(f"DROP TABLESPACE {_SPACE}")
        self._unmount()

    def fill(self) -> None:
        free = os.statvfs(self._folder)
        with self._ballast.open("wb") as file:
            file.write(b"\0" * max(0, free.f_bavail * free.f_frsize - _LEFT))

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self._folder / "ballast"

    def _mount(self, size: int) -> None:
        self._folder.mkdir(exist_ok=True)
        options = f"size={size},mode=0700"
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._folder)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
            self._folder.rmdir()
            raise Skipped("mounting a small disk is not permitted here")
        if (user := run_as().user) is not None:
            os.chown(self._folder, *user)

    def _unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self._folder)], check=True, capture_output=True)
        self._folder.rmdir()

    def _move(self, space: str) -> None:
        for table in self._tables:
            move = sql.SQL("ALTER TABLE {} SET TABLESPACE {}").format(sql.Identifier(table), sql.Identifier(space))
            self._ask(move.as_string(None))

    def _ask(self, statement: str) -> list[Any]:
        with psycopg.connect(self._admin, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []
