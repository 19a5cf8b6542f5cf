"""A server that does on purpose what no real one does: each connection it accepts plays the next scene."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from notifier.transport.h2 import frames as f
from notifier.transport.h2.frames import frame
from tests.transport.h2.peer import Reader, Seen, headers, settings


class Scene:
    """One accepted connection, read and written step by step."""

    def __init__(self, secure: ssl.SSLSocket) -> None:
        self.socket = secure
        self.reader = Reader()

    def send(self, *raw: bytes) -> None:
        self.socket.sendall(b"".join(raw))

    def until(self, enough: Callable[[dict[int, Seen]], bool]) -> dict[int, Seen]:
        """Read until the requests are enough, or the client is gone."""
        while not enough(self.reader.requests):
            data = self.socket.recv(65_536)
            if not data:
                break
            self.reader.read(data)
        return self.reader.requests

    def asked(self, count: int) -> list[int]:
        """The streams of that many requests, read whole."""
        seen = self.until(lambda all_: sum(one.ended for one in all_.values()) >= count)
        return sorted(stream for stream, one in seen.items() if one.ended)

    def ended(self) -> None:
        """Wait until the client closes."""
        self.until(lambda _: False)


Play = Callable[[Scene], None]


@dataclass
class Stage:
    origin: str
    scenes: list[Scene] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)

    @property
    def taken(self) -> list[str]:
        """The body of every request that any connection read whole."""
        return [one.body.decode() for scene in self.scenes for one in scene.reader.requests.values() if one.ended]


def serve_well(scene: Scene) -> None:
    """Answer everything with 200, as it comes."""
    scene.send(settings())
    done = 0
    while len(streams := scene.asked(done + 1)) > done:
        scene.send(*[headers(stream) for stream in streams if scene.reader.requests[stream].answer()])
        done = len(streams)


@contextmanager
def stage(papers: Path, *plays: Play, alpn: Sequence[str] = ("h2",)) -> Iterator[Stage]:
    """The nth connection meets the nth play; later ones are served well."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers / "server.pem", papers / "server.key")
    context.set_alpn_protocols(list(alpn))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Stage(f"https://127.0.0.1:{listener.getsockname()[1]}")
        waiting = list(plays)
        threading.Thread(target=_accept, args=(listener, context, waiting, found), daemon=True).start()
        yield found
    assert not found.faults, found.faults


def _accept(listener: socket.socket, context: ssl.SSLContext, waiting: list[Play], found: Stage) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        play = waiting.pop(0) if waiting else serve_well
        threading.Thread(target=_perform, args=(plain, context, play, found), daemon=True).start()


def _perform(plain: socket.socket, context: ssl.SSLContext, play: Play, found: Stage) -> None:
    plain.settimeout(20)
    with suppress(OSError), context.wrap_socket(plain, server_side=True) as secure:
        scene = Scene(secure)
        found.scenes.append(scene)
        try:
            play(scene)
        except AssertionError as fault:
            found.faults.append(fault)


def cut(scene: Scene) -> None:
    """End the TCP connection without a word."""
    scene.socket.shutdown(socket.SHUT_RDWR)


def end_tls(scene: Scene) -> None:
    """End the TLS session in order (close_notify)."""
    with suppress(OSError):
        scene.socket.unwrap()


def ping() -> bytes:
    return frame(f.PING, 0, 0, b"hostile!")
