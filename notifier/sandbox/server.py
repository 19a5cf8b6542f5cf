"""The sandbox's listener: TLS, the choice between HTTP/2 and HTTP/1.1, and who answers which path."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
from pathlib import Path
from typing import cast

from notifier.sandbox.arrivals import Arrivals
from notifier.sandbox.control_api import ControlApi
from notifier.sandbox.fake_service import Answer, FakeService, Incoming, json_answer
from notifier.sandbox.faults import Faults
from notifier.sandbox.fcm import Fcm
from notifier.sandbox.http.http1 import Http1
from notifier.sandbox.http.http2 import Http2
from notifier.sandbox.identity import ACCOUNT, Identity, identity
from notifier.sandbox.oauth import OAuth

log = logging.getLogger("notifier.sandbox")


class Sandbox:
    """All imitated services behind one address."""

    def __init__(self, url: str, papers: Identity) -> None:
        self.faults = Faults()
        self.arrivals = Arrivals()
        self.connections: set[Connection] = set()
        oauth = OAuth(url, ACCOUNT, papers.account_key, self.faults)
        self._services: tuple[FakeService, ...] = (
            Fcm(oauth, self.arrivals, self.faults),
            oauth,
            ControlApi(self.arrivals, self.faults, lambda: len(self.connections), oauth.counted),
        )
        self._owners: dict[str, FakeService] = {}

    def answer(self, incoming: Incoming) -> Answer:
        owner = self._owners.get(incoming.path) or self._find(incoming.path)
        if owner is None:
            return json_answer(404, {"error": {"code": 404, "message": "Not found.", "status": "NOT_FOUND"}})
        try:
            return owner.answer(incoming)
        except Exception:
            log.exception("could not answer %s %s", incoming.method, incoming.path)
            return Answer(500)

    def _find(self, path: str) -> FakeService | None:
        owner = next((service for service in self._services if service.serves(path)), None)
        if owner is not None and len(self._owners) < 10_000:
            self._owners[path] = owner
        return owner


class Connection(asyncio.Protocol):
    """One client. Reading pauses while it does not take what we write, so that nothing piles up."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._speaker: Http1 | Http2 | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sandbox.connections.add(self)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            faults = self._sandbox.faults
            self._speaker = Http2(
                self._transport, self._sandbox.answer, lambda: faults.goaway_every, lambda: faults.refuse_every
            )
        else:
            self._speaker = Http1(self._transport, self._sandbox.answer)

    def data_received(self, data: bytes) -> None:
        if self._speaker is not None:
            self._speaker.feed(data)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sandbox.connections.discard(self)
        self._speaker = None


async def serve(folder: Path, port: int, host: str = "127.0.0.1") -> None:
    """Listen until SIGTERM or SIGINT. `folder/address.json` appears once clients are welcome."""
    listener = socket.create_server((host, port), backlog=1024)
    url = f"https://{host}:{listener.getsockname()[1]}"
    papers = identity(folder, url)
    sandbox = Sandbox(url, papers)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(sandbox), sock=listener, ssl=papers.tls())
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    announcement = folder / "address.json"
    _announce(announcement, {"url": url, "ca": str(papers.ca.resolve()), "pid": os.getpid()})
    try:
        await stop.wait()
    finally:
        announcement.unlink(missing_ok=True)
        server.close()


def _announce(path: Path, address: dict[str, object]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(json.dumps(address))
    part.replace(path)
    print(json.dumps(address), flush=True)  # noqa: T201
