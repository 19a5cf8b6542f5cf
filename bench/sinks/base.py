"""What every sink is: a child process on a given port with given certificates, which answers as FCM and Google do."""

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

import psutil

PROJECT_ID = "notifier-sandbox"  #: of the account through which a tenant in the sandbox sends
SEND_PATH = f"/v1/projects/{PROJECT_ID}/messages:send"
FCM_ACCEPTED = '{"name":"projects/notifier-sandbox/messages/0:1700000000000000%31bd1c9631bd1c96"}'
TOKEN_GRANT = '{"access_token":"ya29.c.' + "b" * 180 + '","expires_in":3599,"token_type":"Bearer"}'
START_TIMEOUT = 60.0


class SinkFailed(Exception):
    """The sink did not start."""


@dataclass(frozen=True)
class SinkAddress:
    """Where a sink listens, and its certificates (notifier.sandbox.identity made them)."""

    folder: Path
    certificates: Path
    port: int

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        return self.certificates / "ca.pem"


class Sink(ABC):
    """`with Nginx(address) as sink:` the sink listens inside the block."""

    name: ClassVar[str]
    http1: ClassVar[bool] = True  #: it also speaks HTTP/1.1

    def __init__(self, address: SinkAddress) -> None:
        self.address = address
        self.folder = address.folder / self.name
        self._process: subprocess.Popen[bytes] | None = None

    # -- each sink defines these --

    @classmethod
    @abstractmethod
    def program(cls) -> str | None:
        """The path of its program, if it is installed."""

    @classmethod
    @abstractmethod
    def version(cls) -> str: ...

    @abstractmethod
    def command(self) -> list[str]:
        """Write the configuration into `folder`; returns the command line."""

    def messages(self) -> int | None:
        """How many messages the sink counted; None when it does not count."""
        return None

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the sink's processes until now."""
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        times = [process.cpu_times() for process in (main, *main.children(recursive=True))]
        return float(sum(of_process.user + of_process.system for of_process in times))

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
        until = time.monotonic() + START_TIMEOUT
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.address.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        output = (self.folder / "output.log").read_text(errors="replace")[-500:]
        raise SinkFailed(f"{self.name} does not listen on port {self.address.port}: {output}")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server: by TERM, after 10 s by KILL."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def find_program(name: str) -> str | None:
    """Its path: on PATH, in Debian's folders for servers, or in the virtual environment."""
    folders = f"/usr/sbin:/usr/local/sbin:{Path(sys.executable).parent}"
    return shutil.which(name) or shutil.which(name, path=folders)


def first_line(*command: str) -> str:
    shown = subprocess.run(command, capture_output=True, text=True)
    return (shown.stdout + shown.stderr).strip().partition("\n")[0]
