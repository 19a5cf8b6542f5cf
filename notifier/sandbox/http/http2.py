"""The server side of one HTTP/2 connection (RFC 9113), framed by hand: fast, and strict about what clients send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from notifier.sandbox.fake_service import REFUSED_STREAM, Answer, Incoming
from notifier.sandbox.faults import Faults
from notifier.sandbox.http.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEAD,
    HEADERS,
    LONG,
    NO_ERROR,
    PADDED,
    PING,
    PREFACE,
    PROTOCOL_ERROR,
    RST_STREAM,
    SETTING,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    ConnectionFault,
    frame,
    unpad,
    unwrap,
)
from notifier.sandbox.http.header_blocks import HeaderBlocks, answer_block

MAX_STREAMS = 100  #: FCM's limit for a connection
MAX_FRAME = 16_384
STREAM_WINDOW = 65_535
CONNECTION_WINDOW = 8 * 1024 * 1024
MAX_BODY = 64 * 1024 * 1024  #: Postmark takes 50 MB in one call
MAX_BLOCK = 64 * 1024


class Stream:
    __slots__ = ("answered", "body", "credit", "headers", "room", "sent")

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self.body: bytes | bytearray = b""
        self.room = STREAM_WINDOW  #: bytes that the client may still send
        self.credit = 0  #: bytes that the client allowed beyond its initial window
        self.sent = 0
        self.answered = False

    def append(self, payload: bytes) -> None:
        if not self.body:
            self.body = payload
            return
        if not isinstance(self.body, bytearray):
            self.body = bytearray(self.body)  # a bytearray grows without copying what is there
        self.body += payload


class Http2:
    """Bytes in by `feed`, bytes out by `transport.write`; `answerer` gets each request and returns its answer."""

    def __init__(
        self, transport: asyncio.WriteTransport, answerer: Callable[[Incoming], Answer], faults: Faults
    ) -> None:
        self._transport, self._answerer, self._faults = transport, answerer, faults
        self._loop = asyncio.get_running_loop()
        self._blocks = HeaderBlocks()
        self._streams: dict[int, Stream] = {}
        self._blocked: dict[int, memoryview] = {}
        self._unparsed = b""
        self._greeted = self._leaving = self._closed = False
        self._block: tuple[int, int, bytes] | None = None  #: headers awaiting CONTINUATION
        self._last = 0
        self._served = 0
        self._receive_window = STREAM_WINDOW
        self._send_window = STREAM_WINDOW
        self._peer_window = STREAM_WINDOW
        self._peer_frame = MAX_FRAME
        self._settled = False
        self._out: list[bytes] = []
        self._handlers = (
            self._data,
            self._headers,
            self._priority,
            self._rst_stream,
            self._settings,
            self._push_promise,
            self._ping,
            self._goaway,
            self._window_update,
            self._continuation,
        )
        #: streams that the client may open: few until the first good answer, if the faults say so
        self._most_streams = faults.first_streams or MAX_STREAMS
        settings = SETTING.pack(0x3, self._most_streams) + SETTING.pack(0x4, STREAM_WINDOW)
        self._out.append(frame(SETTINGS, 0, 0, settings))
        self._widen()

    # -- bytes ------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        if self._closed:
            return
        try:
            self._parse(self._unparsed + data if self._unparsed else data)
        except ConnectionFault as fault:
            self._go_away(fault.code, str(fault).encode())
            self._closed = True
        self._flush()
        if self._closed or (self._leaving and not self._streams):
            self._transport.close()

    def _parse(self, data: bytes) -> None:
        at, end = 0, len(data)
        if not self._greeted:
            if end < len(PREFACE) and PREFACE.startswith(data):
                self._unparsed = data
                return
            if not data.startswith(PREFACE):
                raise ConnectionFault(PROTOCOL_ERROR, "no connection preface")
            self._greeted, at = True, len(PREFACE)
        unpack, handlers = HEAD.unpack_from, self._handlers
        while end - at >= 9 and not self._closed:
            high, low, kind, flags, stream = unpack(data, at)
            size = (high << 8) | low
            if size > MAX_FRAME:
                raise ConnectionFault(FRAME_SIZE_ERROR, "frame too large")
            stop = at + 9 + size
            if stop > end:
                break
            if self._block is not None and kind != CONTINUATION:
                raise ConnectionFault(PROTOCOL_ERROR, "CONTINUATION expected")
            if not self._settled and kind != SETTINGS:
                raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS expected")
            if kind <= CONTINUATION:
                handlers[kind](flags, stream & 0x7FFFFFFF, data[at + 9 : stop])
            at = stop
        self._unparsed = data[at:]

    def _flush(self) -> None:
        if self._out and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()

    # -- requests ---------------------------------------------------------------------------------------------

    def _headers(self, flags: int, stream: int, payload: bytes) -> None:
        if flags & (PADDED | WITH_PRIORITY):
            payload = unwrap(flags, payload)
        if stream % 2 == 0:
            raise ConnectionFault(PROTOCOL_ERROR, "HEADERS on an even stream")
        if flags & END_HEADERS:
            self._open(stream, flags, payload)
        else:
            self._block = (stream, flags, payload)

    def _continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream:
            raise ConnectionFault(PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        _, first, block = self._block
        if len(block) + len(payload) > MAX_BLOCK:
            raise ConnectionFault(ENHANCE_YOUR_CALM, "header block too large")
        self._block = (stream, first, block + payload)
        if flags & END_HEADERS:
            whole, self._block = self._block[2], None
            self._open(stream, first, whole)

    def _open(self, stream: int, flags: int, block: bytes) -> None:
        headers = self._blocks.read(block)
        if (ongoing := self._streams.get(stream)) is not None:
            if not flags & END_STREAM or ongoing.answered:
                raise ConnectionFault(PROTOCOL_ERROR, "HEADERS twice on one stream")
            self._answer(stream, ongoing)  # trailers end the request
            return
        if stream <= self._last:
            raise ConnectionFault(STREAM_CLOSED, "HEADERS on a closed stream")
        if self._leaving:
            return  # our GOAWAY named a smaller stream, so the client knows that this stream is not processed
        self._last = stream
        self._served += 1
        if len(self._streams) >= self._most_streams or self._due(self._faults.refuse_every):
            self._reset(stream, REFUSED_STREAM)
        elif headers is None:
            self._reset(stream, PROTOCOL_ERROR)
        else:
            self._streams[stream] = opened = Stream(headers)
            if flags & END_STREAM:
                self._answer(stream, opened)
        if self._due(self._faults.goaway_every):
            self._go_away(NO_ERROR, b"")

    def _due(self, every: int) -> bool:
        return every > 0 and self._served % every == 0

    def _data(self, flags: int, stream: int, payload: bytes) -> None:
        size = len(payload)
        self._receive_window -= size
        if self._receive_window < 0:
            raise ConnectionFault(FLOW_CONTROL_ERROR, "connection window exceeded")
        if self._receive_window < CONNECTION_WINDOW // 2:
            self._widen()
        opened = self._streams.get(stream)
        if opened is None or opened.answered:
            if stream == 0 or (stream > self._last and not self._leaving):
                raise ConnectionFault(PROTOCOL_ERROR, "DATA on an idle stream")
            return  # reset or answered early; only the connection window counted
        opened.room -= size
        if opened.room < 0:
            self._reset(stream, FLOW_CONTROL_ERROR)
            return
        if flags & PADDED:
            payload = unpad(payload)
        opened.append(payload)
        if flags & END_STREAM:
            self._answer(stream, opened)
        elif len(opened.body) > MAX_BODY:
            self._finish(stream, Answer(413))
        elif size:
            opened.room += size
            self._out.append(frame(WINDOW_UPDATE, 0, stream, LONG.pack(size)))

    def _answer(self, stream: int, opened: Stream) -> None:
        headers = opened.headers
        length = headers.get("content-length")
        if length is not None and length != str(len(opened.body)):
            self._reset(stream, PROTOCOL_ERROR)
            return
        opened.answered = True
        path, _, query = headers[":path"].partition("?")
        answer = self._answerer(Incoming(headers[":method"], path, query, headers, bytes(opened.body)))
        opened.body = b""
        if answer.delay:
            self._loop.call_later(answer.delay, partial(self._later, stream, answer))
        else:
            self._finish(stream, answer)

    # -- answers ----------------------------------------------------------------------------------------------

    def _later(self, stream: int, answer: Answer) -> None:
        if self._closed or stream not in self._streams:
            return
        self._finish(stream, answer)
        if not self._out:
            return
        self._flush()
        if self._leaving and not self._streams:
            self._transport.close()

    def _finish(self, stream: int, answer: Answer) -> None:
        if answer.hangup:
            self._closed = True
            self._flush()  # send the earlier answers first
            self._transport.abort()
        elif answer.reset is not None:
            self._reset(stream, answer.reset)
        else:
            opened = self._streams[stream]
            opened.answered = True
            body = answer.body
            flags = END_HEADERS if body else END_HEADERS | END_STREAM
            self._out.append(frame(HEADERS, flags, stream, answer_block(answer)))
            if self._most_streams != MAX_STREAMS and answer.status == 200:
                self._most_streams = MAX_STREAMS
                self._out.append(frame(SETTINGS, 0, 0, SETTING.pack(0x3, MAX_STREAMS)))
            if not body:
                del self._streams[stream]
            elif len(body) <= min(self._send_window, self._peer_window + opened.credit, self._peer_frame):
                self._send_window -= len(body)
                self._out.append(frame(DATA, END_STREAM, stream, body))
                del self._streams[stream]
            else:
                self._blocked[stream] = memoryview(body)
                self._send_blocked(stream)

    def _send_blocked(self, stream: int) -> None:
        """Send the part of a blocked body that both windows allow."""
        left, opened = self._blocked[stream], self._streams[stream]
        while left:
            size = min(len(left), self._send_window, self._peer_window + opened.credit - opened.sent, self._peer_frame)
            if size <= 0:
                break
            last = END_STREAM if size == len(left) else 0
            self._out.append(frame(DATA, last, stream, bytes(left[:size])))
            left = left[size:]
            opened.sent += size
            self._send_window -= size
        if left:
            self._blocked[stream] = left
        else:
            del self._blocked[stream], self._streams[stream]

    def _reset(self, stream: int, code: int) -> None:
        self._streams.pop(stream, None)
        self._blocked.pop(stream, None)
        self._out.append(frame(RST_STREAM, 0, stream, LONG.pack(code)))

    def _go_away(self, code: int, why: bytes) -> None:
        if not self._leaving:
            self._leaving = True
            self._out.append(frame(GOAWAY, 0, 0, LONG.pack(self._last) + LONG.pack(code) + why))

    def _widen(self) -> None:
        more = CONNECTION_WINDOW - self._receive_window
        self._receive_window = CONNECTION_WINDOW
        self._out.append(frame(WINDOW_UPDATE, 0, 0, LONG.pack(more)))

    # -- the connection ---------------------------------------------------------------------------------------

    def _settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & ACK:
            if payload:
                raise ConnectionFault(FRAME_SIZE_ERROR, "SETTINGS ACK with a payload")
            return
        if len(payload) % 6:
            raise ConnectionFault(FRAME_SIZE_ERROR, "SETTINGS")
        self._settled = True
        for name, value in SETTING.iter_unpack(payload):
            self._setting(name, value)
        self._out.append(frame(SETTINGS, ACK, 0))
        for blocked in list(self._blocked):
            self._send_blocked(blocked)

    def _setting(self, name: int, value: int) -> None:
        if name == 0x4:
            if value > 0x7FFFFFFF:
                raise ConnectionFault(FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE")
            self._peer_window = value
        elif name == 0x5:
            if not 16_384 <= value <= 16_777_215:
                raise ConnectionFault(PROTOCOL_ERROR, "MAX_FRAME_SIZE")
            self._peer_frame = value
        elif name == 0x2 and value > 1:
            raise ConnectionFault(PROTOCOL_ERROR, "ENABLE_PUSH")

    def _window_update(self, _flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "WINDOW_UPDATE")
        more = LONG.unpack(payload)[0] & 0x7FFFFFFF
        if not stream:
            self._send_window += more
            if not more or self._send_window > 0x7FFFFFFF:
                raise ConnectionFault(FLOW_CONTROL_ERROR if more else PROTOCOL_ERROR, "WINDOW_UPDATE")
            for blocked in list(self._blocked):
                self._send_blocked(blocked)
            return
        if stream > self._last and not self._leaving:
            raise ConnectionFault(PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream")
        if (opened := self._streams.get(stream)) is not None:
            opened.credit += more
            if not more or self._peer_window + opened.credit > 0x7FFFFFFF:
                self._reset(stream, FLOW_CONTROL_ERROR if more else PROTOCOL_ERROR)
            elif stream in self._blocked:
                self._send_blocked(stream)

    def _ping(self, flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 8:
            raise ConnectionFault(FRAME_SIZE_ERROR, "PING")
        if stream:
            raise ConnectionFault(PROTOCOL_ERROR, "PING on a stream")
        if not flags & ACK:
            self._out.append(frame(PING, ACK, 0, payload))

    def _rst_stream(self, _flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(FRAME_SIZE_ERROR, "RST_STREAM")
        if not stream or (stream > self._last and not self._leaving):
            raise ConnectionFault(PROTOCOL_ERROR, "RST_STREAM on an idle stream")
        self._streams.pop(stream, None)
        self._blocked.pop(stream, None)

    def _priority(self, _flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 5 or not stream:
            raise ConnectionFault(PROTOCOL_ERROR if not stream else FRAME_SIZE_ERROR, "PRIORITY")

    def _push_promise(self, _flags: int, _stream: int, _payload: bytes) -> None:
        raise ConnectionFault(PROTOCOL_ERROR, "a client may not push")

    def _goaway(self, _flags: int, _stream: int, _payload: bytes) -> None:
        self._leaving = True
