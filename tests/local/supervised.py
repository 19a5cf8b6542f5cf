"""A supervisor that tests kill: `python -m tests.local.supervised FOLDER` prints its process ids, then waits."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path

from notifier.local.processes.child import Child, Program
from notifier.local.stack import Stack

#: a worker with a child of its own; both ignore TERM
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
time.sleep(600)
"""


def main(folder: Path) -> None:
    with Stack(folder, test=True, environ={}) as stack:
        program = Program(name="stubborn", argv=(sys.executable, "-c", STUBBORN), env=stack.env, cwd=folder, grace=0.2)
        child = Child(program, folder)
        child.start()
        print(json.dumps([stack.pid("postgres"), stack.pid("valkey"), child.pid]), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    # a test run in the background ignores SIGINT
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(Path(sys.argv[1]))
