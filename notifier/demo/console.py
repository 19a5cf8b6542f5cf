"""What the demo prints: a line for each event, and one live line for each stage.

On a terminal the live line is written over itself. Without a terminal (a log of CI) a stage prints a plain line every
PLAIN_EVERY seconds and one at its end.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

LIVE_EVERY, PLAIN_EVERY = 0.1, 5.0
_CLEAR = "\r\x1b[K"


class Console:
    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self.live = self._out.isatty() and os.environ.get("TERM") != "dumb"

    def say(self, text: str) -> None:
        self._write(f"{_CLEAR if self.live else ''}{text}\n")

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Stage]:
        """A stage of `total` units. Its last line says how many were done, in how many seconds."""
        stage = Stage(self, name, total, unit)
        yield stage
        self.say(stage.summary())

    def show(self, line: str) -> None:
        """Write the live line anew; a plain line without a terminal."""
        if not self.live:
            self.say(line)
            return
        width = shutil.get_terminal_size().columns - 1
        self._write(f"{_CLEAR}{line[:width]}")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class Stage:
    """`update` says how far the stage is; it shows done, rate and the time left."""

    def __init__(self, console: Console, name: str, total: int, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done = 0
        self.note = ""
        self._console = console
        self._started = time.monotonic()
        self._shown = self._started if not console.live else 0.0
        self._ended: float | None = None

    def update(self, done: int, note: str = "") -> None:
        """`note`: what else is known, behind the figures."""
        now = time.monotonic()
        self.done, self.note = done, note
        if done >= self.total and self._ended is None:
            self._ended = now
        if now - self._shown >= (LIVE_EVERY if self._console.live else PLAIN_EVERY):
            self._shown = now
            self._console.show(self.progress(now - self._started))

    def progress(self, seconds: float) -> str:
        rate = self.done / seconds if seconds > 0 else 0.0
        left = f"{(self.total - self.done) / rate:,.0f} s left" if rate and self.done < self.total else ""
        share = f"{100 * self.done // self.total if self.total else 100:3d} %"
        return _join(
            f"{self.name:12}{share}", f"{self.done:,} of {self.total:,} {self.unit}", f"{rate:,.0f}/s", left, self.note
        )

    def summary(self) -> str:
        seconds = max((self._ended or time.monotonic()) - self._started, 0.001)
        rate = f"{self.done / seconds:,.0f}/s" if self.done else ""
        return _join(f"{self.name:12}done", f"{self.done:,} {self.unit} in {seconds:.1f} s", rate, self.note)


def _join(*parts: str) -> str:
    return "  ".join(part for part in parts if part)
