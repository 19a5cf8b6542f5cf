"""A recipient's inbox as a browser uses it: REST and a WebSocket, with a recipient token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

from tests.flows.http import Caller
from tests.flows.wait import TIMEOUT


@dataclass(frozen=True)
class Inbox:
    origin: str
    token: str

    @property
    def api(self) -> Caller:
        return Caller(self.origin, {"Authorization": f"Bearer {self.token}"})

    def messages(self) -> list[dict[str, Any]]:
        """The newest hundred messages."""
        messages: list[dict[str, Any]] = self.api.request_json("GET", "/v1/inbox/messages?limit=100")["messages"]
        return messages

    @contextmanager
    def opened(self) -> Iterator[Socket]:
        """A socket that is ready: every message stored from now on comes through it."""
        with connect(f"ws://{urlsplit(self.origin).netloc}/v1/inbox/live", open_timeout=TIMEOUT) as wire:
            wire.send(json.dumps({"type": "hello", "token": self.token}))
            socket = Socket(wire)
            socket.receive("ready")
            yield socket


@dataclass(frozen=True)
class Socket:
    wire: ClientConnection

    def receive(self, kind: str) -> dict[str, Any]:
        """The next frame of this kind."""
        while True:
            frame: dict[str, Any] = json.loads(self.wire.recv(timeout=TIMEOUT))
            if frame["type"] == kind:
                return frame
