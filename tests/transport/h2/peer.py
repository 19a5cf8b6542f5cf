"""The server's side of a connection, for tests of the client's: it builds frames and reads what the client wrote."""

from __future__ import annotations

from dataclasses import dataclass, field

from hpack import Decoder, Encoder

from notifier.transport.h2.protocol import frames as f
from notifier.transport.h2.protocol.answers import Finished
from notifier.transport.h2.protocol.connection import Connection
from notifier.transport.h2.protocol.encoded_rows import EncodedRows
from notifier.transport.h2.protocol.frames import frame
from notifier.transport.h2.protocol.incoming import Reply
from notifier.transport.h2.protocol.request_headers import encode_template
from notifier.vocabulary.http import RequestTemplate, Response, TransportError

TEMPLATE = RequestTemplate("POST", "https://server.example", "/send", (("authorization", "Bearer x"),))
FOREVER = 1e12


def block(status: int | str = 200, *headers: tuple[str, str]) -> bytes:
    """A header block as a server encodes it when the client announced no header table."""
    return trailers((":status", str(status)), *headers)


def trailers(*headers: tuple[str, str]) -> bytes:
    encoder = Encoder()
    encoder.header_table_size = 0
    encoder.encode(())  # drops the update of the table's size, which begins only a connection's first block
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
    return frame(f.RST_STREAM, 0, stream, f.UINT32.pack(code))


def goaway(last: int, code: int = f.NO_ERROR) -> bytes:
    return frame(f.GOAWAY, 0, 0, f.UINT32.pack(last) + f.UINT32.pack(code))


def window(stream: int, more: int) -> bytes:
    return frame(f.WINDOW_UPDATE, 0, stream, f.UINT32.pack(more))


@dataclass
class Seen:
    """One request as the server reads it."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None
    answered: bool = False

    def answer(self) -> bool:
        """True on the first call, which marks the request as answered."""
        first, self.answered = not self.answered, True
        return first


class Reader:
    """Reads a client's bytes; it shares only the frame layout with the client's code."""

    def __init__(self) -> None:
        self.requests: dict[int, Seen] = {}
        self.control: list[tuple[int, int, int, bytes]] = []
        self._decoder = Decoder()
        self._unparsed = b""
        self._preface_read = False

    def read(self, written: bytes) -> None:
        raw = self._unparsed + written
        if not self._preface_read and raw:
            assert raw.startswith(f.PREFACE)
            raw, self._preface_read = raw[len(f.PREFACE) :], True
        while len(raw) >= 9:
            size, kind, flags = int.from_bytes(raw[:3], "big"), raw[3], raw[4]
            if len(raw) < 9 + size:
                break
            stream, payload, raw = int.from_bytes(raw[5:9], "big"), raw[9 : 9 + size], raw[9 + size :]
            self._frame(kind, flags, stream, payload)
        self._unparsed = raw

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == f.HEADERS:
            assert stream not in self.requests and stream > max(self.requests, default=0)
            seen = self.requests[stream] = Seen()
            seen.headers = {str(name): str(value) for name, value in self._decoder.decode(payload)}
            seen.ended = bool(flags & f.END_STREAM)
        elif kind == f.DATA:
            seen = self.requests[stream]
            assert not seen.ended
            seen.body += payload
            seen.ended = bool(flags & f.END_STREAM)
        elif kind == f.RST_STREAM:
            self.requests[stream].reset = int.from_bytes(payload, "big")
        else:
            self.control.append((kind, flags, stream, payload))


class LoopbackPair:
    """A client's connection and the server that it talks to, in one thread and without a network."""

    def __init__(self, first: int = 1, **announced: int) -> None:
        self.client = Connection(first)
        self.server = Reader()
        self.answers: dict[int, int | Response | TransportError] = {}
        self.server_sends(settings(**announced))

    def server_sends(self, *raw: bytes) -> None:
        """The server sends these bytes, and reads what the client writes in return."""
        self.take(self.client.receive(b"".join(raw)))

    def take(self, finished: list[Finished]) -> None:
        for (_, index, _), answer in finished:
            assert index not in self.answers, "answered twice"
            self.answers[index] = answer
        self.server.read(self.client.data_to_send())

    def client_sends(
        self, *bodies: bytes, whole: bool = False, deadline: float = FOREVER, template: RequestTemplate = TEMPLATE
    ) -> None:
        """The client begins a request for each body, as far as there is room; index = (stream - 1) / 2."""
        start = self.client.begun
        for at, body in enumerate(bodies[: self.client.room()]):
            slot = (None, start + at, deadline)
            entry = Reply(slot, True) if whole else slot
            self.client.begin(encode_template(template, False), [entry], EncodedRows([body]))
        self.server.read(self.client.data_to_send())

    @property
    def requests(self) -> list[Seen]:
        return [self.server.requests[stream] for stream in sorted(self.server.requests)]
