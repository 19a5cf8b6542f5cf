"""`python -m notifier.local demo [--exit] | up`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from types import FrameType

from notifier.local.console import say
from notifier.local.processes.child import Failed
from notifier.local.processes.watchdog import Busy
from notifier.local.servers.binaries import NoServer
from notifier.local.stack import Stack
from notifier.local.testing import LOCAL

INTERRUPTED = 130


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m notifier.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo_parser = commands.add_parser("demo", help="everything, then a campaign from a CSV to phones and inboxes")
    demo_parser.add_argument("--exit", action="store_true", help="stop at the end; the code says whether it was exact")
    commands.add_parser("up", help="everything, until Ctrl-C")
    parsed = parser.parse_args(arguments)
    return up(demo=parsed.command == "demo", leave=getattr(parsed, "exit", False))


def up(*, demo: bool, leave: bool) -> int:
    with Stack(LOCAL) as stack:
        stack.up()
        code = stack.foreground("demo") if demo else 0
        if not leave:
            _stay(stack)
        return code


def _stay(stack: Stack) -> None:
    lines = [
        f"admin       {stack.url}/admin/",
        f"API docs    {stack.url}/v1/docs",
        f"inbox page  {stack.url}/inbox/",
        f"Flower      {stack.flower_url}   login {stack.settings['FLOWER_BASIC_AUTH'].replace(':', ' / ')}",
        "Ctrl-C stops everything.",
    ]
    say("notifier", "\n".join(lines))
    threading.Event().wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # SIGINT too: a shell starts background jobs with it ignored, and Python keeps that
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (Failed, Busy, NoServer) as problem:
        say("notifier", f"stopped: {problem}")
        sys.exit(1)
