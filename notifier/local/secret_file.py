"""KEY=VALUE files that only their owner may read: `secrets`, generated once, and `env`, with the addresses of the
servers."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

SECRETS = (
    "POSTGRES_PASSWORD",
    "ENGINE_PASSWORD",
    "WEB_PASSWORD",
    "REDIS_PASSWORD",
    "FLOWER_PASSWORD",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
)


def read(path: Path) -> dict[str, str]:
    """The values of the file; empty if there is no such file."""
    if not path.exists():
        return {}
    lines = (line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def write(path: Path, values: Mapping[str, str]) -> None:
    """Write the file atomically, with mode 0600 from the start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{key}={value}\n" for key, value in values.items())
    new.replace(path)


def load_or_create(path: Path) -> dict[str, str]:
    """The secrets of the file; missing ones are generated and stored."""
    stored = read(path)
    # an earlier version generated a SECRET_KEY too short for workers, which run without DEBUG (notifier.E006)
    usable = {key: value for key, value in stored.items() if key != "SECRET_KEY" or len(value) == len(_generate(key))}
    values = {key: usable.get(key) or _generate(key) for key in SECRETS}
    if values != stored:
        write(path, values)
    return values


def _generate(key: str) -> str:
    if key == "ENCRYPTION_KEYS":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)
