"""Servers of one process that runs tests, in `.local/test-<pid>/`: beside a demo, other processes and other runs."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from notifier.local import secretfile
from notifier.local.console import hush
from notifier.local.processes import records, watchdog
from notifier.local.processes.programs import PROJECT
from notifier.local.processes.watchdog import Watchdog
from notifier.local.servers.start import Servers

LOCAL = PROJECT / ".local"
#: seconds that the logs of a failed run stay
KEEP_LOGS = 24 * 3600.0


class TestServers:
    """Ours, or those that the environment names. `urls` is ready after start()."""

    __test__ = False

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or LOCAL / f"test-{os.getpid()}"
        self.urls: dict[str, str] = {}
        #: whether somebody has to read them
        self.keep_logs = False
        self._watchdog: Watchdog | None = None
        self._servers: Servers | None = None

    def start(self) -> dict[str, str]:
        """Start them and put their addresses into our environment."""
        sweep_stale(LOCAL)
        self._watchdog = Watchdog(self.folder)
        secrets = secretfile.made_once(self.folder / "secrets")
        self._servers = Servers(self.folder, secrets, os.environ.copy(), test=True, say=hush)
        self.urls = self._servers.start()
        os.environ.update(self.urls)
        return self.urls

    def stop(self) -> None:
        """Data goes; logs stay if they are to be kept."""
        if self._servers is not None:
            self._servers.stop()
        if self._watchdog is not None:
            self._watchdog.release()
        remove(self.folder, keep_logs=self.keep_logs)


def remove(folder: Path, *, keep_logs: bool) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not (keep_logs and entry.name == "logs"):
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.is_file():
            entry.unlink(missing_ok=True)
    if not keep_logs:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_stale(local: Path) -> None:
    """Remove the folders of runs that were killed, and logs that were kept long enough."""
    for folder in local.glob("test-*"):
        if folder.joinpath("lock").exists():
            if watchdog.in_use(folder):
                continue
            records.sweep(folder)
        elif time.time() - folder.stat().st_mtime < KEEP_LOGS:
            continue
        remove(folder, keep_logs=False)
