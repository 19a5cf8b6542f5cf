"""A Valkey (or Redis) under a folder, on the loopback, with a password."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from notifier.local.processes.child import Program
from notifier.local.processes.ready import answers_tcp
from notifier.local.servers import binaries


@dataclass(frozen=True)
class Valkey:
    """Its data is in `<folder>/<server kind>`, because Redis refuses files that Valkey 9 wrote."""

    folder: Path
    password: str
    port: int
    test: bool = False

    @property
    def data(self) -> Path:
        return self.folder / binaries.valkey_server().name

    def prepare(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)

    def program(self) -> Program:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.data),
            "requirepass": self.password,
            "appendonly": "no" if self.test else "yes",
            "appendfsync": "everysec",
            "save": '""',
            # Redis must never evict a queue to make room
            "maxmemory-policy": "noeviction",
        }
        lines = "".join(f'{key} "{value}"\n' if key == "dir" else f"{key} {value}\n" for key, value in settings.items())
        login = f"AUTH {self.password}\r\nPING\r\n".encode()
        return Program(
            name="valkey",
            # settings on stdin, because every user of the machine can read argv
            argv=(str(binaries.valkey_server()), "-"),
            env=os.environ,
            cwd=self.data,
            # a server that is still loading its file answers -LOADING
            ready=answers_tcp(self.port, login, b"+PONG\r\n"),
            stop_order=0,
            stdin=lines.encode(),
        )

    def url(self, database: int = 0) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"
