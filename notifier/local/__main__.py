"""`python -m notifier.local demo [--exit] | up`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from types import FrameType

from notifier.local.console import say
from notifier.local.processes import pids
from notifier.local.processes.child import ProcessFailed
from notifier.local.processes.watchdog import FolderInUse
from notifier.local.servers.binaries import ServerNotFound
from notifier.local.stack import Stack
from notifier.local.testing import LOCAL

INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m notifier.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo_parser = commands.add_parser(
        "demo", help="start everything, then send a campaign from a CSV to phones and inboxes"
    )
    demo_parser.add_argument(
        "--exit", action="store_true", help="stop at the end; exit code 0 means that every count agreed"
    )
    commands.add_parser("up", help="start everything, until Ctrl-C")
    parsed = parser.parse_args(arguments)
    return up(demo=parsed.command == "demo", exit_after=getattr(parsed, "exit", False))


def up(*, demo: bool, exit_after: bool) -> int:
    with Stack(LOCAL) as stack:
        stack.up()
        exit_code = stack.foreground("demo") if demo else 0
        if not exit_after:
            _wait(stack)
        return exit_code


def _wait(stack: Stack) -> None:
    lines = [
        f"admin       {stack.url}/admin/",
        f"API docs    {stack.url}/v1/docs",
        f"inbox page  {stack.url}/inbox/",
        f"outbox      {stack.outbox_url}   what arrived at the sandbox",
        f"Flower      {stack.flower_url}   login {stack.settings['FLOWER_BASIC_AUTH'].replace(':', ' / ')}",
        "Ctrl-C stops everything.",
    ]
    if memory := pids.tree_memory_mb(os.getpid()):
        lines.insert(-1, f"memory      {memory:,} MB for all processes")
    say("notifier", "\n".join(lines))
    threading.Event().wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # SIGINT too: a shell starts background jobs with SIGINT ignored, and Python keeps it ignored
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (ProcessFailed, FolderInUse, ServerNotFound) as problem:
        say("notifier", f"stopped: {problem}")
        sys.exit(1)
