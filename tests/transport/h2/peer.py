"""A server's side of a connection, for tests of the client's: builds frames, reads what the client wrote."""

from __future__ import annotations

from dataclasses import dataclass, field

from hpack import Decoder, Encoder

from notifier.transport.h2 import frames as f
from notifier.transport.h2.connection import Connection, Finished
from notifier.transport.h2.frames import frame
from notifier.transport.h2.incoming import Reply
from notifier.transport.h2.request_headers import encoded
from notifier.vocabulary.http import RequestTemplate, Response, TransportError

HEAD = RequestTemplate("POST", "https://far.example", "/send", (("authorization", "Bearer x"),))
FOREVER = 1e12


def block(status: int | str = 200, *headers: tuple[str, str]) -> bytes:
    """A header block as a server encodes it that was told to keep no table."""
    return trailers((":status", str(status)), *headers)


def trailers(*headers: tuple[str, str]) -> bytes:
    encoder = Encoder()
    encoder.header_table_size = 0
    encoder.encode(())  # the update of the table's size, which only a connection's first block begins with
    return bytes(encoder.encode(headers))


def settings(**values: int) -> bytes:
    names = {
        "table": f.HEADER_TABLE_SIZE,
        "push": f.ENABLE_PUSH,
        "streams": f.MAX_CONCURRENT_STREAMS,
        "window": f.INITIAL_WINDOW_SIZE,
        "frame": f.MAX_FRAME_SIZE,
    }
    return frame(f.SETTINGS, 0, 0, b"".join(f.SETTING.pack(names[n], v) for n, v in values.items()))


def headers(stream: int, status: int = 200, *more: tuple[str, str], end: bool = True) -> bytes:
    return frame(f.HEADERS, f.END_HEADERS | end, stream, block(status, *more))


def data(stream: int, body: bytes, end: bool = True) -> bytes:
    return frame(f.DATA, int(end), stream, body)


def reset(stream: int, code: int) -> bytes:
    return frame(f.RST_STREAM, 0, stream, f.LONG.pack(code))


def goaway(last: int, code: int = f.NO_ERROR) -> bytes:
    return frame(f.GOAWAY, 0, 0, f.LONG.pack(last) + f.LONG.pack(code))


def window(stream: int, more: int) -> bytes:
    return frame(f.WINDOW_UPDATE, 0, stream, f.LONG.pack(more))


@dataclass
class Seen:
    """One request as the server reads it."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None
    answered: bool = False

    def answer(self) -> bool:
        """True once."""
        first, self.answered = not self.answered, True
        return first


class Reader:
    """Reads a client's bytes with nothing of the client's own code but the frame layout."""

    def __init__(self) -> None:
        self.requests: dict[int, Seen] = {}
        self.control: list[tuple[int, int, int, bytes]] = []
        self._decoder = Decoder()
        self._rest = b""
        self._greeted = False

    def read(self, written: bytes) -> None:
        raw = self._rest + written
        if not self._greeted and raw:
            assert raw.startswith(f.PREFACE)
            raw, self._greeted = raw[len(f.PREFACE) :], True
        while len(raw) >= 9:
            size, kind, flags = int.from_bytes(raw[:3], "big"), raw[3], raw[4]
            if len(raw) < 9 + size:
                break
            stream, payload, raw = int.from_bytes(raw[5:9], "big"), raw[9 : 9 + size], raw[9 + size :]
            self._frame(kind, flags, stream, payload)
        self._rest = raw

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == f.HEADERS:
            assert stream not in self.requests and stream > max(self.requests, default=0)
            found = self.requests[stream] = Seen()
            found.headers = {str(name): str(value) for name, value in self._decoder.decode(payload)}
            found.ended = bool(flags & f.END_STREAM)
        elif kind == f.DATA:
            found = self.requests[stream]
            assert not found.ended
            found.body += payload
            found.ended = bool(flags & f.END_STREAM)
        elif kind == f.RST_STREAM:
            self.requests[stream].reset = int.from_bytes(payload, "big")
        else:
            self.control.append((kind, flags, stream, payload))


class Talk:
    """A client connection and the server that it talks to, in one thread and without a wire."""

    def __init__(self, first: int = 1, **said: int) -> None:
        self.client = Connection(first)
        self.server = Reader()
        self.answers: dict[int, int | Response | TransportError] = {}
        self.says(settings(**said))

    def says(self, *raw: bytes) -> None:
        """The server sends these bytes; what the client answers is read."""
        self.take(self.client.receive(b"".join(raw)))

    def take(self, finished: list[Finished]) -> None:
        for (_, index, _), answer in finished:
            assert index not in self.answers, "answered twice"
            self.answers[index] = answer
        self.server.read(self.client.written())

    def asks(
        self, *bodies: bytes, whole: bool = False, deadline: float = FOREVER, head: RequestTemplate = HEAD
    ) -> None:
        """The client begins a request for each body, as far as there is room; index = (stream - 1) / 2."""
        start = self.client.begun
        for at, body in enumerate(bodies[: self.client.room()]):
            slot = (None, start + at, deadline)
            self.client.begin(encoded(head, False), [Reply(slot, True) if whole else slot], None, [body])
        self.server.read(self.client.written())

    @property
    def requests(self) -> list[Seen]:
        return [self.server.requests[stream] for stream in sorted(self.server.requests)]
