"""Short lines on the terminal."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str, str], None]  #: (name of the process, text)


def say(process: str, text: str) -> None:
    """Print each line of the text, prefixed with the name of its process."""
    for line in text.splitlines():
        print(f"{process:>22} | {line}", flush=True)


def say_nothing(process: str, text: str) -> None:
    """For tests, which read the log files instead."""
