"""Starts the web process: `python -m notifier.web`. `make up`, the container and the tests all start it here, so that
the limits hold everywhere. uvicorn reads WEB_CONCURRENCY and FORWARDED_ALLOW_IPS itself."""

from __future__ import annotations

import argparse
import resource

import uvicorn

from notifier.web import limits

APPLICATION = "notifier.asgi:application"
#: bytes of a WebSocket message; a longer one closes the socket with 1009
WS_MAX_SIZE = 16 * 1024


def main() -> None:
    asked = _arguments().parse_args()
    _raise_file_limit()
    uvicorn.run(
        asked.app,
        host=asked.host,
        port=asked.port,
        http="notifier.web.http:BoundedHttp",
        ws="notifier.web.sockets:BoundedWebSocket",
        ws_max_size=WS_MAX_SIZE,
        # a socket's compression held 43 of its 60 KB, for messages of some hundred bytes
        ws_per_message_deflate=False,
        timeout_keep_alive=limits.IDLE_SECONDS,
        timeout_graceful_shutdown=asked.grace,
        log_level=asked.log_level,
        access_log=False,
    )


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m notifier.web", description=__doc__)
    parser.add_argument("--app", default=APPLICATION, help="the ASGI application")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--grace", type=int, default=20, help="seconds for what is under way when it is told to stop")
    parser.add_argument("--log-level", default="warning")
    return parser


def _raise_file_limit() -> None:
    """A connection is an open file, and many systems allow 1,024 until somebody asks for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
