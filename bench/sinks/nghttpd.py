"""nghttpd, one thread: it serves files over HTTP/2. It answers a POST with the file, and does not count requests.

Each device of APNs has a path of its own, so each needs a name in the file system: nghttpd opens and closes a file for
each request, where it keeps FCM's single file open. A request then costs nghttpd 12 µs instead of 5.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.sinks.base import FCM_ACCEPTED, SEND_PATH, TOKEN_GRANT, Sink, SinkAddress, find_program, first_line
from bench.tenants import WEB_PUSH_HOST, WEB_PUSH_PATH

WEB_PUSH_FILE = f"/webpush/{WEB_PUSH_HOST}{WEB_PUSH_PATH}"
#: of one file: some file systems take 65,000
LINKS = 50_000
MEMORY = Path("/dev/shm")  # noqa: S108  # files in memory, on Linux


class Nghttpd(Sink):
    """`apns_tokens`: the devices to which messages through APNs may go."""

    name = "nghttpd"
    http1 = False

    def __init__(self, address: SinkAddress, apns_tokens: Sequence[str] = ()) -> None:
        super().__init__(address)
        self._apns_tokens = apns_tokens
        self._memory: Path | None = None

    @classmethod
    def program(cls) -> str | None:
        return find_program("nghttpd")

    @classmethod
    def version(cls) -> str:
        return first_line(cls.program() or "nghttpd", "--version")

    def command(self) -> list[str]:
        pages = self.folder / "pages"
        if self._apns_tokens:
            # in memory, where the machine has such a file system
            pages = self._memory = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
            self._link_devices(pages / "3" / "device")
        for path, text in ((SEND_PATH, FCM_ACCEPTED), ("/token", TOKEN_GRANT), (WEB_PUSH_FILE, "")):
            file = pages / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        certificates = [str(self.address.certificates / name) for name in ("server.key", "server.pem")]
        options = ["-n", "1", "-d", str(pages), "-a", "127.0.0.1"]
        return [self.program() or "nghttpd", *options, str(self.address.port), *certificates]

    def _link_devices(self, folder: Path) -> None:
        """A name for each device; few files, because a file costs more memory than a name."""
        folder.mkdir(parents=True)
        for number, token in enumerate(self._apns_tokens):
            answer = folder / f"answer-{number // LINKS}"
            if number % LINKS == 0:
                answer.write_text("")
            os.link(answer, folder / token)

    def _stop(self) -> None:
        super()._stop()
        if self._memory is not None:
            shutil.rmtree(self._memory, ignore_errors=True)
            self._memory = None
