"""The sandbox's listener: TLS, the choice between HTTP/2 and HTTP/1.1, and which service answers which path."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from notifier.local.servers.ports import free_ports
from notifier.sandbox.callbacks import Callbacks, Site
from notifier.sandbox.control_api import ControlApi
from notifier.sandbox.fake_service import Answer, FakeServer, FakeService, Incoming, json_answer
from notifier.sandbox.http.frames import PREFACE
from notifier.sandbox.http.http1 import Http1
from notifier.sandbox.http.http2 import Http2
from notifier.sandbox.identity import load_identity
from notifier.sandbox.outbox_page.pages import OutboxPage, OutboxServer
from notifier.sandbox.push_checks.apns_provider_token import write_key
from notifier.sandbox.services import build_services, server_classes
from notifier.sandbox.state import SandboxState

log = logging.getLogger("notifier.sandbox")


class Sandbox:
    """All fake services behind one address."""

    def __init__(self, state: SandboxState) -> None:
        self.state = state
        self._services: list[FakeService] = [*build_services(state), OutboxPage(state), ControlApi(state)]
        self._services_by_path: dict[str, FakeService] = {}

    def answer(self, incoming: Incoming) -> Answer:
        service = self._services_by_path.get(incoming.path) or self._find(incoming.path)
        if service is None:
            return json_answer(404, {"error": {"code": 404, "message": "Not found.", "status": "NOT_FOUND"}})
        try:
            return service.respond(incoming)
        except Exception:
            log.exception("could not answer %s %s", incoming.method, incoming.path)
            return Answer(500)

    def _find(self, path: str) -> FakeService | None:
        service = next((service for service in self._services if service.serves(path)), None)
        if service is not None and not service.many_paths and len(self._services_by_path) < 10_000:
            self._services_by_path[path] = service
        return service


class Connection(asyncio.Protocol):
    """One client. Reading pauses while the client does not read our answers, so that answers do not pile up."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._protocol: Http1 | Http2 | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sandbox.state.connections += 1
        tls = transport.get_extra_info("ssl_object")
        negotiated = None if tls is None else tls.selected_alpn_protocol()
        if negotiated is not None:
            self._choose(http2=negotiated == "h2")

    def _choose(self, *, http2: bool) -> None:
        state, answer = self._sandbox.state, self._sandbox.answer
        self._protocol = Http2(self._transport, answer, state.faults) if http2 else Http1(self._transport, answer)

    def data_received(self, data: bytes) -> None:
        if self._protocol is None:
            # a client that negotiates nothing shows its protocol by its first bytes, as aioapns does (RFC 9113 §3.3)
            self._choose(http2=PREFACE.startswith(data[: len(PREFACE)]))
        if self._protocol is not None:
            self._protocol.feed(data)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sandbox.state.connections -= 1
        self._protocol = None


async def serve(folder: Path, port: int, host: str, sites: Sequence[Site]) -> None:
    """Listen until SIGTERM or SIGINT. `folder/address.json` exists while the sandbox accepts connections.

    `sites`: the origins, beside the loopback, to which fake services may report."""
    kinds: list[type[FakeServer]] = [*server_classes(), OutboxServer]
    listeners = _listen(host, port, [0, *(kind.port_offset for kind in kinds)])
    listener = listeners[0]
    url = f"https://{host}:{listener.getsockname()[1]}"
    outbox_url = f"http://{host}:{listener.getsockname()[1] + OutboxServer.port_offset}/"
    identity = load_identity(folder, url)
    write_key(folder)
    sandbox = Sandbox(SandboxState(url, identity.account_key, outbox_url, callbacks=Callbacks(sites)))
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: Connection(sandbox), sock=listener, ssl=identity.tls())]
    for kind, other in zip(kinds, listeners[1:], strict=True):
        servers.append(await loop.create_server(kind(sandbox.state, identity.tls()).protocol, sock=other))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    announcement = folder / "address.json"
    _announce(
        announcement,
        {"url": url, "ca": str(identity.ca.resolve()), "outbox": sandbox.state.outbox_url, "pid": os.getpid()},
    )
    try:
        await stop.wait()
    finally:
        announcement.unlink(missing_ok=True)
        for server in servers:
            server.close()


def _listen(host: str, port: int, offsets: list[int]) -> list[socket.socket]:
    """Sockets on `port` and the ports after it by `offsets`. Port 0: any port that is free with those after it."""
    for _ in range(1 if port else 50):
        sockets: list[socket.socket] = []
        first = port or free_ports(max(offsets) + 1)
        try:
            for offset in offsets:
                sockets.append(socket.create_server((host, first + offset), backlog=1024))
            return sockets
        except (OSError, OverflowError) as error:
            for opened in sockets:
                opened.close()
            failure = error
    raise OSError(f"no free ports: {failure}")


def _announce(path: Path, address: dict[str, object]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(json.dumps(address))
    part.replace(path)
    print(json.dumps(address), flush=True)  # noqa: T201
