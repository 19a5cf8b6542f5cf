"""HTTP/2 frames as bytes (RFC 9113 §4-6), and ProtocolError. Holds no state."""

from __future__ import annotations

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0x0, 0x1, 0x2, 0x3
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0x6, 0x7, 0x8, 0x9, 0xB
CODES = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 0x1, 0x2, 0x3, 0x4, 0x5
MAX_HEADER_LIST_SIZE = 0x6

MAX_FRAME = 16_384  #: the payload that a peer may send unless we announce more; we do not
INITIAL_WINDOW = 65_535  #: both flow-control windows start here
MAX_UINT31 = 0x7FFFFFFF  #: the largest window and the largest stream id

HEAD_SIZE = 5  #: bytes of a frame before its stream id
FRAME_HEAD = struct.Struct(">HBHL")  #: length (2 + 1 bytes), type and flags together, stream
UINT32 = struct.Struct(">L")
SETTING = struct.Struct(">HL")


class ProtocolError(Exception):
    """The peer broke the protocol: answer GOAWAY with this code, then close."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def frame_head(kind: int, flags: int, size: int) -> bytes:
    """The first five bytes of a frame; the stream id (four bytes) and `size` bytes of payload follow."""
    return size.to_bytes(3, "big") + bytes((kind, flags))


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return frame_head(kind, flags, len(payload)) + UINT32.pack(stream) + payload


def client_preface(window: int, stream_window: int, list_cap: int) -> bytes:
    """The client's first bytes: no header table, no push, windows of these sizes, at most `list_cap` of headers."""
    ours = [(HEADER_TABLE_SIZE, 0), (ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, stream_window)]
    ours.append((MAX_HEADER_LIST_SIZE, list_cap))
    settings = b"".join(SETTING.pack(*pair) for pair in ours)
    return PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, UINT32.pack(window - INITIAL_WINDOW))


def unpad(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ProtocolError(PROTOCOL_ERROR, "padding longer than the frame")
    return payload[1 : len(payload) - payload[0]]


def header_fragment(flags: int, payload: bytes) -> bytes:
    """HEADERS without padding and priority."""
    if flags & PADDED:
        payload = unpad(payload)
    if flags & WITH_PRIORITY:
        if len(payload) < 5:
            raise ProtocolError(FRAME_SIZE_ERROR, "HEADERS too short for its priority")
        payload = payload[5:]
    return payload


def code_name(code: int) -> str:
    return CODES[code] if code < len(CODES) else f"error {code}"
