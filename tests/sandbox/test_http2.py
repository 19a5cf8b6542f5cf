"""The server's framing, byte by byte: what it accepts, and which error code it refuses with."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hpack import Encoder

from notifier.sandbox.fake_service import Answer, Incoming
from notifier.sandbox.faults import Faults
from notifier.sandbox.http import frames as http2
from notifier.sandbox.http.frames import PREFACE, frame
from notifier.sandbox.http.http2 import Http2

GREETING = PREFACE + frame(http2.SETTINGS, 0, 0)
HEADERS = [(":method", "POST"), (":scheme", "https"), (":path", "/x?y=1"), (":authority", "a")]


class Transport:
    """Stores the written bytes."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def frames(self) -> list[tuple[int, int, int, bytes]]:
        frames, data = [], self.written
        while data:
            high, low, kind, flags, stream = struct.unpack_from(">HBBBL", data)
            size = (high << 8) | low
            frames.append((kind, flags, stream, data[9 : 9 + size]))
            data = data[9 + size :]
        return frames

    def of(self, kind: int) -> list[tuple[int, int, int, bytes]]:
        return [f for f in self.frames() if f[0] == kind]


def talk(*pieces: bytes, answer: Callable[[Incoming], Answer] | None = None) -> tuple[Transport, list[Incoming]]:
    """Feed the pieces one after another to a fresh connection."""
    requests: list[Incoming] = []

    def record(incoming: Incoming) -> Answer:
        requests.append(incoming)
        return answer(incoming) if answer else Answer(200, b"{}")

    async def run() -> Transport:
        transport: Any = Transport()
        connection = Http2(transport, record, Faults())
        for piece in pieces:
            connection.feed(piece)
        return transport  # type: ignore[no-any-return]

    return asyncio.run(run()), requests


def request(stream: int = 1, body: bytes = b"hello", encoder: Encoder | None = None) -> bytes:
    block = (encoder or Encoder()).encode(HEADERS)
    return frame(http2.HEADERS, http2.END_HEADERS, stream, block) + frame(http2.DATA, http2.END_STREAM, stream, body)


def goaway_code(transport: Transport) -> int:
    ((_, _, _, payload),) = transport.of(http2.GOAWAY)
    assert transport.closed
    return int.from_bytes(payload[4:8], "big")


def test_a_request_cut_into_single_bytes_is_understood() -> None:
    whole = GREETING + request()
    transport, requests = talk(*(whole[i : i + 1] for i in range(len(whole))))
    assert [(i.method, i.path, i.query, i.body) for i in requests] == [("POST", "/x", "y=1", b"hello")]
    assert transport.of(http2.HEADERS)[0][3][:1] == b"\x88"
    assert transport.of(http2.DATA)[0][3] == b"{}"


def test_padding_priority_and_continuation_are_understood() -> None:
    block = Encoder().encode(HEADERS)
    flags = http2.PADDED | http2.WITH_PRIORITY
    first = frame(http2.HEADERS, flags, 1, b"\x03" + b"\0\0\0\0\x10" + block[:4] + b"\0\0\0")
    rest = frame(http2.CONTINUATION, 0, 1, block[4:6]) + frame(http2.CONTINUATION, http2.END_HEADERS, 1, block[6:])
    body = frame(http2.DATA, http2.PADDED | http2.END_STREAM, 1, b"\x02hello\0\0")
    _, requests = talk(GREETING + first + rest + body)
    assert [i.body for i in requests] == [b"hello"]


def test_the_dynamic_table_is_followed_when_blocks_repeat_and_change() -> None:
    encoder = Encoder()
    messages = b"".join(request(stream, b"%d" % stream, encoder) for stream in range(1, 40, 2))
    other = encoder.encode([*HEADERS[:2], (":path", "/other"), ("x-new", "value")])
    messages += frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 41, other)
    messages += request(43, b"43", encoder)
    _, requests = talk(GREETING + messages)
    assert [i.path for i in requests] == ["/x"] * 20 + ["/other", "/x"]
    assert requests[20].headers["x-new"] == "value"


def test_the_windows_grow_as_a_large_body_is_read() -> None:
    block = Encoder().encode(HEADERS)
    parts = b"".join(frame(http2.DATA, 0, 1, b"x" * 16_000) for _ in range(10))
    transport, requests = talk(
        GREETING + frame(http2.HEADERS, http2.END_HEADERS, 1, block) + parts + frame(http2.DATA, http2.END_STREAM, 1)
    )
    assert [len(i.body) for i in requests] == [160_000]
    credit = sum(int.from_bytes(p, "big") for _, _, stream, p in transport.of(http2.WINDOW_UPDATE) if stream == 1)
    assert credit == 160_000


def test_a_large_answer_waits_for_both_windows() -> None:
    answer = Answer(200, b"z" * 100_000)
    transport, _ = talk(GREETING + request(), answer=lambda _: answer)
    assert sum(len(p) for _, _, _, p in transport.of(http2.DATA)) == 65_535
    more = frame(http2.WINDOW_UPDATE, 0, 0, struct.pack(">L", 100_000))
    stream_more = frame(http2.WINDOW_UPDATE, 0, 1, struct.pack(">L", 100_000))
    transport, _ = talk(GREETING + request(), more, stream_more, answer=lambda _: answer)
    data = transport.of(http2.DATA)
    assert sum(len(p) for _, _, _, p in data) == 100_000
    assert [bool(flags & http2.END_STREAM) for _, flags, _, _ in data].count(True) == 1


def test_a_ping_comes_back() -> None:
    transport, _ = talk(GREETING + frame(http2.PING, 0, 0, b"12345678"))
    assert transport.of(http2.PING) == [(http2.PING, http2.ACK, 0, b"12345678")]


def test_streams_beyond_the_limit_are_refused() -> None:
    encoder = Encoder()
    opened = b"".join(frame(http2.HEADERS, http2.END_HEADERS, s, encoder.encode(HEADERS)) for s in range(1, 205, 2))
    transport, _ = talk(GREETING + opened)
    assert [stream for _, _, stream, _ in transport.of(http2.RST_STREAM)] == [201, 203]


def test_malformed_requests_end_their_stream_only() -> None:
    encoder = Encoder()
    bad = [(":method", "POST"), (":scheme", "https")], [*HEADERS, ("Upper", "x")], [*HEADERS, ("content-length", "9")]
    pieces = b"".join(
        frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 2 * n + 1, encoder.encode(headers))
        for n, headers in enumerate(bad)
    )
    transport, requests = talk(GREETING + pieces + request(7, encoder=encoder))
    assert [stream for _, _, stream, _ in transport.of(http2.RST_STREAM)] == [1, 3, 5]
    assert len(requests) == 1
    assert not transport.closed


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n" + b" " * 20, http2.PROTOCOL_ERROR),
        (PREFACE + frame(http2.PING, 0, 0, b"12345678"), http2.PROTOCOL_ERROR),
        (GREETING + frame(http2.PING, 0, 0, b"1"), http2.FRAME_SIZE_ERROR),
        (GREETING + frame(http2.SETTINGS, 0, 0, b"12345"), http2.FRAME_SIZE_ERROR),
        (GREETING + frame(http2.SETTINGS, 0, 1), http2.PROTOCOL_ERROR),
        (GREETING + frame(http2.DATA, 0, 0, b"x"), http2.PROTOCOL_ERROR),
        (GREETING + frame(http2.DATA, 0, 5, b"x"), http2.PROTOCOL_ERROR),
        (GREETING + frame(http2.CONTINUATION, 0, 1, b""), http2.PROTOCOL_ERROR),
        (GREETING + frame(http2.PUSH_PROMISE, 0, 1, b""), http2.PROTOCOL_ERROR),
        (GREETING + frame(http2.RST_STREAM, 0, 9, b"\0\0\0\0"), http2.PROTOCOL_ERROR),
        (GREETING + frame(http2.WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), http2.PROTOCOL_ERROR),
        (GREETING + frame(http2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), http2.FLOW_CONTROL_ERROR),
        (GREETING + frame(http2.HEADERS, http2.END_HEADERS, 2, b"\x88"), http2.PROTOCOL_ERROR),
        (GREETING + frame(http2.HEADERS, http2.END_HEADERS, 1, b"\xff\xff\xff\xff"), http2.COMPRESSION_ERROR),
        (GREETING + frame(http2.HEADERS, 0, 1, b"\x82") + frame(http2.PING, 0, 0, b"12345678"), http2.PROTOCOL_ERROR),
        (GREETING + request() + request(), http2.STREAM_CLOSED),
        (GREETING + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", http2.FRAME_SIZE_ERROR),
    ],
)
def test_a_peer_that_breaks_the_protocol_gets_a_goaway(sent: bytes, code: int) -> None:
    transport, _ = talk(sent)
    assert goaway_code(transport) == code
