"""HTTP/2 frames as bytes (RFC 9113 §4-6), for `http2.py`. Keeps no state."""

from __future__ import annotations

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR = 0x0, 0x1, 0x3, 0x5, 0x6
COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0x9, 0xB


HEAD = struct.Struct(">HBBBL")
LONG = struct.Struct(">L")
SETTING = struct.Struct(">HL")


class ConnectionFault(Exception):
    """The peer broke the protocol: GOAWAY with this code, then close."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def unpad(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(PROTOCOL_ERROR, "padding")
    return payload[1 : len(payload) - payload[0]]


def unwrap(flags: int, payload: bytes) -> bytes:
    """HEADERS without padding and priority."""
    if flags & PADDED:
        payload = unpad(payload)
    if flags & WITH_PRIORITY:
        if len(payload) < 5:
            raise ConnectionFault(FRAME_SIZE_ERROR, "HEADERS")
        payload = payload[5:]
    return payload
