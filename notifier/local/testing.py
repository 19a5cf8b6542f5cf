"""Servers for one process that runs tests, in `.local/test-<pid>/`, so that test processes and a demo can run at
once."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from notifier.local import secret_file
from notifier.local.console import say_nothing
from notifier.local.processes import records, watchdog
from notifier.local.processes.programs import PROJECT
from notifier.local.processes.watchdog import Watchdog
from notifier.local.servers.start import Servers

LOCAL = PROJECT / ".local"
#: seconds for which the logs of a failed run are kept
KEEP_LOGS = 24 * 3600.0


class TestServers:
    """Servers of this process, or those that the environment names. `urls` is set by start()."""

    __test__ = False

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or LOCAL / f"test-{os.getpid()}"
        self.urls: dict[str, str] = {}
        #: set after a failure, so that the logs can be read
        self.keep_logs = False
        self._watchdog: Watchdog | None = None
        self._servers: Servers | None = None

    def start(self) -> dict[str, str]:
        """Start the servers and put their addresses into the environment of this process."""
        remove_stale_folders(LOCAL)
        self._watchdog = Watchdog(self.folder)
        secrets = secret_file.load_or_create(self.folder / "secrets")
        self._servers = Servers(self.folder, secrets, os.environ.copy(), test=True, say=say_nothing)
        self.urls = self._servers.start()
        os.environ.update(self.urls)
        return self.urls

    def stop(self) -> None:
        """Stop the servers and remove their data; the logs stay if `keep_logs` is set."""
        if self._servers is not None:
            self._servers.stop()
        if self._watchdog is not None:
            self._watchdog.release()
        remove_folder(self.folder, keep_logs=self.keep_logs)


def remove_folder(folder: Path, *, keep_logs: bool) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not (keep_logs and entry.name == "logs"):
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.is_file():
            entry.unlink(missing_ok=True)
    if not keep_logs:
        shutil.rmtree(folder, ignore_errors=True)


def remove_stale_folders(local: Path) -> None:
    """Remove the folders of killed runs, and logs older than KEEP_LOGS."""
    for folder in local.glob("test-*"):
        if folder.joinpath("lock").exists():
            if watchdog.in_use(folder):
                continue
            records.sweep(folder)
        elif time.time() - folder.stat().st_mtime < KEEP_LOGS:
            continue
        remove_folder(folder, keep_logs=False)
