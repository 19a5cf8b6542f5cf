"""A server that follows a script for each connection, to do on purpose what no real server does."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from notifier.transport.h2.protocol import frames as f
from notifier.transport.h2.protocol.frames import frame
from tests.transport.h2.peer import Reader, Seen, headers, settings


class ServerConnection:
    """One accepted connection, read and written step by step."""

    def __init__(self, secure: ssl.SSLSocket) -> None:
        self.socket = secure
        self.reader = Reader()

    def send(self, *raw: bytes) -> None:
        self.socket.sendall(b"".join(raw))

    def until(self, enough: Callable[[dict[int, Seen]], bool]) -> dict[int, Seen]:
        """Read until `enough` holds for the requests, or the client closes."""
        while not enough(self.reader.requests):
            data = self.socket.recv(65_536)
            if not data:
                break
            self.reader.read(data)
        return self.reader.requests

    def read_requests(self, count: int) -> list[int]:
        """Read `count` whole requests; returns the streams of all that were read whole."""
        seen = self.until(lambda all_: sum(one.ended for one in all_.values()) >= count)
        return sorted(stream for stream, one in seen.items() if one.ended)

    def ended(self) -> None:
        """Wait until the client closes."""
        self.until(lambda _: False)


Script = Callable[[ServerConnection], None]


@dataclass
class ScriptedServer:
    origin: str
    connections: list[ServerConnection] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)

    @property
    def taken(self) -> list[str]:
        """The body of every request that any connection read whole."""
        return [
            one.body.decode()
            for connection in self.connections
            for one in connection.reader.requests.values()
            if one.ended
        ]


def answer_all(connection: ServerConnection) -> None:
    """Answer every request with 200, as it comes."""
    connection.send(settings())
    done = 0
    while len(streams := connection.read_requests(done + 1)) > done:
        connection.send(*[headers(stream) for stream in streams if connection.reader.requests[stream].answer()])
        done = len(streams)


@contextmanager
def scripted_server(certificates: Path, *scripts: Script, alpn: Sequence[str] = ("h2",)) -> Iterator[ScriptedServer]:
    """The nth connection follows the nth script; every request of later connections is answered with 200."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.set_alpn_protocols(list(alpn))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ScriptedServer(f"https://127.0.0.1:{listener.getsockname()[1]}")
        waiting = list(scripts)
        threading.Thread(target=_accept, args=(listener, context, waiting, server), daemon=True).start()
        yield server
    assert not server.faults, server.faults


def _accept(listener: socket.socket, context: ssl.SSLContext, waiting: list[Script], server: ScriptedServer) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        script = waiting.pop(0) if waiting else answer_all
        threading.Thread(target=_serve, args=(plain, context, script, server), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, script: Script, server: ScriptedServer) -> None:
    plain.settimeout(20)
    with suppress(OSError), context.wrap_socket(plain, server_side=True) as secure:
        connection = ServerConnection(secure)
        server.connections.append(connection)
        try:
            script(connection)
        except AssertionError as fault:
            server.faults.append(fault)


def cut(connection: ServerConnection) -> None:
    """End the TCP connection without close_notify."""
    connection.socket.shutdown(socket.SHUT_RDWR)


def end_tls(connection: ServerConnection) -> None:
    """End the TLS session in order, with close_notify."""
    with suppress(OSError):
        connection.socket.unwrap()


def ping() -> bytes:
    return frame(f.PING, 0, 0, b"hostile!")
