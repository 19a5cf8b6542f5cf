"""What every sink is: a child process on a given port with the given papers, that answers as FCM and Google would."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

PROJECT_ID = "notifier-sandbox"  #: of the account that a tenant in the sandbox sends with
SEND = f"/v1/projects/{PROJECT_ID}/messages:send"
TAKEN = '{"name":"projects/notifier-sandbox/messages/0:1700000000000000%31bd1c9631bd1c96"}'
GRANT = '{"access_token":"ya29.c.' + "b" * 180 + '","expires_in":3599,"token_type":"Bearer"}'
PATIENCE = 15.0


class SinkFailed(Exception):
    """It did not start."""


@dataclass(frozen=True)
class Place:
    """Where a sink listens, and with which papers (notifier.sandbox.identity made them)."""

    folder: Path
    papers: Path
    port: int

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        return self.papers / "ca.pem"


class Sink(ABC):
    """`with Nginx(place) as sink:` it listens."""

    name: ClassVar[str]
    http1: ClassVar[bool] = True  #: it speaks HTTP/1.1 as well

    def __init__(self, place: Place) -> None:
        self.place = place
        self.folder = place.folder / self.name
        self._process: subprocess.Popen[bytes] | None = None

    # -- what each defines --

    @classmethod
    @abstractmethod
    def program(cls) -> str | None:
        """The path of its program, if it is installed."""

    @classmethod
    @abstractmethod
    def version(cls) -> str: ...

    @abstractmethod
    def command(self) -> list[str]:
        """Write what it needs into `folder`; returns its command line."""

    def messages(self) -> int | None:
        """How many messages it has had by its own count; None when it does not count."""
        return None

    # -- life --

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self.command()
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _wait(self) -> None:
        assert self._process is not None
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.place.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        said = (self.folder / "output.log").read_text(errors="replace")[-500:]
        raise SinkFailed(f"{self.name} does not listen on port {self.place.port}: {said}")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def find(name: str) -> str | None:
    """On PATH, where Debian keeps servers, or in the virtual environment."""
    folders = f"/usr/sbin:/usr/local/sbin:{Path(sys.executable).parent}"
    return shutil.which(name) or shutil.which(name, path=folders)


def first_line(*command: str) -> str:
    shown = subprocess.run(command, capture_output=True, text=True)
    return (shown.stdout + shown.stderr).strip().partition("\n")[0]
