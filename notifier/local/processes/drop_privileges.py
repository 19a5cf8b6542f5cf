"""Runs PostgreSQL without root's privileges when the caller is root, because PostgreSQL refuses to run as uid 0."""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


@dataclass(frozen=True)
class RunAs:
    """How to start a command: with a prefix, or as another (uid, gid), or unchanged."""

    prefix: tuple[str, ...] = ()
    user: tuple[int, int] | None = None

    def chown(self, *paths: Path) -> None:
        """Give the paths to `user`, if it is set."""
        if self.user is not None:
            for path in paths:
                os.chown(path, *self.user)


@functools.cache
def run_as() -> RunAs:
    """Root uses a user namespace with one uid: this needs no new account and no chmod of parent folders, and root keeps
    owning the files. Docker's default seccomp profile can refuse a namespace; then PostgreSQL runs as `nobody`."""
    if os.geteuid() != 0:
        return RunAs()
    if shutil.which("unshare") and subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0:
        return RunAs(prefix=NAMESPACE)
    nobody = pwd.getpwnam("nobody")
    return RunAs(user=(nobody.pw_uid, nobody.pw_gid))
