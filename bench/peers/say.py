"""What every peer's process is asked and how it answers: ORIGIN MESSAGE.json COUNT -> one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from google.oauth2.credentials import Credentials

PROJECT_ID = "notifier-sandbox"


@dataclass(frozen=True)
class Asked:
    origin: str
    message: dict[str, Any]
    count: int

    @classmethod
    def read(cls) -> Asked:
        origin, sample, count = sys.argv[-3:]
        return cls(origin, json.loads(Path(sample).read_text()), int(count))


def credentials() -> Credentials:
    """A token that never ends: no peer is charged for fetching one."""
    return Credentials("ya29.c." + "b" * 180)  # type: ignore[no-untyped-call]


def answer(package: str, send: Callable[[int], int], count: int) -> None:
    """One message before the clock starts opens the connection; then all of them."""
    send(1)
    began = time.perf_counter()
    taken = send(count)
    seconds = time.perf_counter() - began
    said = {"taken": taken, "seconds": seconds, "version": _version(package)}
    sys.stdout.write(json.dumps(said) + "\n")


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package
