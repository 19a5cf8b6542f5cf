"""Starts the web process: `python -m notifier.web`. `make up`, the container and the tests start it through this
module, so the same limits hold everywhere. uvicorn itself reads WEB_CONCURRENCY and FORWARDED_ALLOW_IPS."""

from __future__ import annotations

import argparse
import resource
import sys

import uvicorn

from notifier.web import limits

APPLICATION = "notifier.asgi:application"
#: bytes of a WebSocket message; a longer one closes the socket with 1009
WS_MAX_SIZE = 16 * 1024


#: seconds after which a thread that computes gives way. A single notification asks for its turn a dozen times, and with
#: Python's 5 ms each of them waited so long behind the items of a bulk request
SWITCH_SECONDS = 0.0005


def main() -> None:
    arguments = _arguments().parse_args()
    _raise_file_limit()
    sys.setswitchinterval(SWITCH_SECONDS)
    uvicorn.run(
        arguments.app,
        host=arguments.host,
        port=arguments.port,
        http="notifier.web.protocols.http:BoundedHttp",
        ws="notifier.web.protocols.sockets:BoundedWebSocket",
        ws_max_size=WS_MAX_SIZE,
        # compression took 43 of the 60 KB that a socket held, for messages of some hundred bytes
        ws_per_message_deflate=False,
        timeout_keep_alive=limits.IDLE_SECONDS,
        timeout_graceful_shutdown=arguments.grace,
        log_level=arguments.log_level,
        access_log=False,
    )


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m notifier.web", description=__doc__)
    parser.add_argument("--app", default=APPLICATION, help="the ASGI application")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--grace", type=int, default=20, help="seconds that running requests have after a stop signal")
    parser.add_argument("--log-level", default="warning")
    return parser


def _raise_file_limit() -> None:
    """A connection is an open file, and many systems allow 1,024 open files until a process raises its limit."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))


if __name__ == "__main__":
    main()
