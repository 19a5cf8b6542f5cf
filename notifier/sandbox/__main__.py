"""`python -m notifier.sandbox --port 0 --dir DIR`."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

import uvloop

from notifier.sandbox.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="notifier.sandbox", description="Stand-ins for the far ends.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--dir", type=Path, required=True, help="where its CA, keys and address.json live")
    arguments = parser.parse_args()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # a million kept messages would be walked again and again
    uvloop.run(serve(arguments.dir, arguments.port, arguments.host))


if __name__ == "__main__":
    main()
