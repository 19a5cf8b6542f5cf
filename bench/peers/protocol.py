"""How a peer's process is called and answers: the arguments ORIGIN MESSAGE.json COUNT -> one line of JSON."""

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
class PeerInput:
    origin: str
    message: dict[str, Any]
    count: int

    @classmethod
    def read(cls) -> PeerInput:
        origin, sample, count = sys.argv[-3:]
        return cls(origin, json.loads(Path(sample).read_text()), int(count))


def credentials() -> Credentials:
    """A token that never expires: no peer pays for fetching one."""
    return Credentials("ya29.c." + "b" * 180)  # type: ignore[no-untyped-call]


def measure(package: str, send: Callable[[int], int], count: int) -> None:
    """Send one message to open the connection, then measure `count` messages. `send` returns how many were accepted."""
    send(1)
    began = time.perf_counter()
    accepted = send(count)
    seconds = time.perf_counter() - began
    answer = {"accepted": accepted, "seconds": seconds, "version": _version(package)}
    sys.stdout.write(json.dumps(answer) + "\n")


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package
