"""One person's inbox as a browser has it: REST and a WebSocket, with a recipient token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

from tests.flows.http import Caller
from tests.flows.wait import PATIENCE


@dataclass(frozen=True)
class Inbox:
    origin: str
    token: str

    @property
    def api(self) -> Caller:
        return Caller(self.origin, {"Authorization": f"Bearer {self.token}"})

    def messages(self) -> list[dict[str, Any]]:
        """The newest hundred."""
        found: list[dict[str, Any]] = self.api.ask("GET", "/v1/inbox/messages?limit=100")["messages"]
        return found

    @contextmanager
    def opened(self) -> Iterator[Socket]:
        """A socket that is ready: what is stored from now on comes through it."""
        with connect(f"ws://{urlsplit(self.origin).netloc}/v1/inbox/live", open_timeout=PATIENCE) as wire:
            wire.send(json.dumps({"type": "hello", "token": self.token}))
            socket = Socket(wire)
            socket.hear("ready")
            yield socket


@dataclass(frozen=True)
class Socket:
    wire: ClientConnection

    def hear(self, kind: str) -> dict[str, Any]:
        """The next frame of this kind."""
        while True:
            frame: dict[str, Any] = json.loads(self.wire.recv(timeout=PATIENCE))
            if frame["type"] == kind:
                return frame
