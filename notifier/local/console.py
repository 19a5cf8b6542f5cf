"""Short lines for the person at the terminal."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str, str], None]  #: (who, what)


def say(who: str, what: str) -> None:
    """One line per line of `what`, prefixed with the process that it is about."""
    for line in what.splitlines():
        print(f"{who:>22} | {line}", flush=True)


def hush(who: str, what: str) -> None:
    """For tests: nothing on the console; the log files have it all."""
