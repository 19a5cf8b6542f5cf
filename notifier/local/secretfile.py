"""KEY=VALUE files that only their owner may read: the secrets made once, and the `env` that tells where servers are."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

MADE_ONCE = (
    "POSTGRES_PASSWORD",
    "ENGINE_PASSWORD",
    "WEB_PASSWORD",
    "REDIS_PASSWORD",
    "FLOWER_PASSWORD",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
)


def read(path: Path) -> dict[str, str]:
    """Empty when there is no such file."""
    if not path.exists():
        return {}
    lines = (line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def write(path: Path, values: Mapping[str, str]) -> None:
    """Whole or not at all, mode 0600 from the start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{key}={value}\n" for key, value in values.items())
    new.replace(path)


def made_once(path: Path) -> dict[str, str]:
    """The folder's secrets; missing ones are made and kept."""
    known = read(path)
    # an earlier version made SECRET_KEY shorter than the workers, which run without DEBUG, accept (notifier.E006)
    kept = {key: value for key, value in known.items() if key != "SECRET_KEY" or len(value) == len(_new(key))}
    values = {key: kept.get(key) or _new(key) for key in MADE_ONCE}
    if values != known:
        write(path, values)
    return values


def _new(key: str) -> str:
    if key == "ENCRYPTION_KEYS":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)
