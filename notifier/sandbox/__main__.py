"""`python -m notifier.sandbox --port 0 --dir DIR [--site ORIGIN[=ADDRESS]]`."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

import uvloop

from notifier.sandbox.callbacks import Site
from notifier.sandbox.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="notifier.sandbox", description="Fake services of the providers.")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--dir", type=Path, required=True, help="where the CA, the keys and address.json are kept")
    parser.add_argument(
        "--site",
        type=Site.parse,
        action="append",
        default=[],
        metavar="ORIGIN[=ADDRESS]",
        help="an origin to which the fake services may report, beside the loopback, and where its server listens",
    )
    arguments = parser.parse_args()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # the collector would walk a million stored messages again and again
    uvloop.run(serve(arguments.dir, arguments.port, arguments.host, arguments.site))


if __name__ == "__main__":
    main()
