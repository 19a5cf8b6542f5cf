"""A process that dies at a failpoint (notifier/failpoints.py), and is started again without it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from notifier.local.processes.child import ProcessFailed

if TYPE_CHECKING:
    from tests.chaos.context import Context

_LOOK_SECONDS = 0.1


class Doomed:
    """`start` replaces the program; a thread then waits for its death, counts what it had begun, and starts it anew.
    The count must be made before the leases of the dead process are over."""

    def __init__(self, context: Context, name: str, point: str) -> None:
        self._context, self._name, self._point = context, name, point
        self._died, self._given_up = threading.Event(), threading.Event()
        self._watch = threading.Thread(target=self._wait_for_death, name=f"doomed {name}", daemon=True)

    def start(self) -> None:
        site = self._context.site
        site.watched.add(self._name)
        self._context.terminate(self._name)
        environ = {"NOTIFIER_FAILPOINT": self._point, "FAILPOINTS_ALLOWED": "1"}
        with suppress(ProcessFailed):  # the failpoint may be reached while the process starts
            site.start_varied(self._name, environ)
        self._watch.start()

    @property
    def died(self) -> bool:
        """Whether the process has died there, and runs again."""
        return self._died.is_set()

    def wait(self, seconds: float) -> bool:
        return self._died.wait(seconds)

    def end(self) -> None:
        """Replace a process that has not died by a normal one."""
        self._given_up.set()
        self._watch.join()
        if not self.died:
            self._context.terminate(self._name)
            self._context.site.start(self._name)
        self._context.site.watched.discard(self._name)

    def _wait_for_death(self) -> None:
        site = self._context.site
        while site.pid(self._name) is not None and not site.crashes(self._name):
            if self._given_up.is_set():
                return
            time.sleep(_LOOK_SECONDS)
        site.kill(self._name)
        self._context.allow_begun_by(self._name)
        site.start(self._name)
        site.watched.discard(self._name)
        self._died.set()
