"""HPACK (RFC 7541) on the server side: decodes and checks request blocks, encodes answer blocks.

A bulk sender repeats one header block for thousands of messages, so decoded blocks are cached by their bytes. A block
that changes the dynamic table empties the cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hpack import Decoder
from hpack.exceptions import HPACKError

from notifier.sandbox.fake_service import Answer
from notifier.sandbox.http.frames import COMPRESSION_ERROR, ConnectionFault

KEPT = 4096
_JSON = b"\x0f\x10\x10application/json"


class HeaderBlocks:
    """The decoder of one connection."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._known: dict[bytes, dict[str, str]] = {}

    def read(self, block: bytes) -> dict[str, str] | None:
        """The headers; None when they are malformed (a stream error: the table stays in step with the client)."""
        if (known := self._known.get(block)) is not None:
            return known
        table = self._decoder.header_table
        size, limit = len(table.dynamic_entries), table.maxsize
        front = table.dynamic_entries[0] if size else None  # a reference, so that no new entry can get its identity
        try:
            headers = checked_headers(self._decoder.decode(block))
        except HPACKError as error:
            raise ConnectionFault(COMPRESSION_ERROR, "header block") from error
        entries = table.dynamic_entries
        if len(entries) != size or table.maxsize != limit or (entries and entries[0] is not front):
            self._known.clear()
        elif headers is not None and len(self._known) < KEPT:
            self._known[block] = headers
        return headers


def checked_headers(pairs: Iterable[Any]) -> dict[str, str] | None:
    headers: dict[str, str] = {}
    for name, value in pairs:
        if name != name.lower() or (name[0] == ":" and name in headers) or name in ("connection", "transfer-encoding"):
            return None
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers if ":method" in headers and headers.get(":path") and ":scheme" in headers else None


def answer_block(answer: Answer) -> bytes:
    """HPACK of the answer's headers, without the dynamic table: static names, literal values."""
    out = b"\x88" if answer.status == 200 else b"\x08\x03%03d" % answer.status
    if answer.body:
        out += _JSON if answer.content_type == "application/json" else b"\x0f\x10" + _text(answer.content_type)
    for name, value in answer.headers:
        out += b"\x00" + _text(name) + _text(value)
    return out


def _text(value: str) -> bytes:
    raw = value.encode("ascii")
    length, prefix = len(raw), bytearray()
    if length >= 127:  # RFC 7541 §5.1: seven bits, then groups of seven
        prefix.append(127)
        length -= 127
        while length > 127:
            prefix.append(length & 127 | 128)
            length >>= 7
    prefix.append(length)
    return bytes(prefix) + raw
