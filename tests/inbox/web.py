"""A real web process of the product, with the web role and row-level security, and a WebSocket client."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
from django.conf import settings
from django.db import connection
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from notifier.local.servers.ports import free_port


class Web:
    """The web process as it is started everywhere, with shorter times, on a port that survives restarts."""

    def __init__(self, redis_url: str = "", app: str = "tests.inbox.short_clocks:application", **env: str) -> None:
        self.redis_url = redis_url or settings.REDIS_URL
        self.app = app
        self.env = env
        self.port = free_port()
        self.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        argv = [sys.executable, "-m", "notifier.web", "--app", self.app]
        argv += ["--port", str(self.port), "--grace", "1"]
        self.process = subprocess.Popen(argv, env={**os.environ, **self._environment()})
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the web process did not start")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    close = stop

    def _environment(self) -> dict[str, str]:
        web = urlsplit(os.environ["WEB_DATABASE_URL"])
        database = urlunsplit(web._replace(path=f"/{connection.settings_dict['NAME']}"))
        ours = {"DJANGO_SETTINGS_MODULE": "notifier.settings", "NOTIFIER_DATABASE_ROLE": "web"}
        return {
            **ours,
            "WEB_DATABASE_URL": database,
            "REDIS_URL": self.redis_url,
            "DEBUG": "1",
            "LOG_LEVEL": "WARNING",
            **self.env,
        }


class Socket:
    """One open inbox, as the widget opens it."""

    def __init__(self, web: Web, token: str | None = None, **hello: object) -> None:
        uri = f"ws://127.0.0.1:{web.port}/v1/inbox/live"
        self._opened = connect(uri, open_timeout=30)
        self.connection: ClientConnection = self._opened.__enter__()
        if token is not None:
            self.send(type="hello", token=token, **hello)

    def send(self, **frame: object) -> None:
        self.connection.send(orjson.dumps(frame).decode())

    def receive(self, *kinds: str, seconds: float = 30) -> dict[str, Any]:
        """The next frame of one of these kinds."""
        while True:
            frame: dict[str, Any] = orjson.loads(self.connection.recv(timeout=seconds))
            if frame["type"] in kinds:
                return frame

    def seqs(self, up_to: int) -> list[int]:
        """The sequence numbers of the arriving messages, in order, until number `up_to` has arrived."""
        seqs: list[int] = []
        while not seqs or seqs[-1] < up_to:
            seqs += [m["seq"] for m in self.receive("messages")["messages"]]
        return seqs

    def close_code(self, seconds: float = 30) -> int:
        """The code with which the server closes."""
        try:
            while True:
                self.connection.recv(timeout=seconds)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            return closed.rcvd.code

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._opened.__exit__(None, None, None)
