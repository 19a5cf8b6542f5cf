"""Quoted-printable (RFC 2045 §6.7): texts, texts with placeholders, and the values that replace the placeholders.

A placeholder, and so the value that replaces it, has lines of its own between soft line breaks: whatever the value is,
no constant line changes, and no line becomes longer than 76 characters.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Sequence

#: a server that reads carelessly takes a line with only a dot for the end of the message; mail stores of the format
#: mbox change a line that begins with `From `
_LINE_START = re.compile(rb"^(?:\.+(?:F(?=rom ))?|F(?=rom ))", re.MULTILINE)
#: b2a_qp escapes the blank at the end of a full line, and the line becomes too long
_ESCAPED_BLANK = re.compile(rb"^(.{74,75})(=(?:20|09)\r\n)", re.MULTILINE)
_LONGEST = 75  #: of a line before its soft break
_SOFT_BREAK = b"=\r\n"


def encode_text(text: str, placeholders: re.Pattern[str] | None = None) -> bytes:
    """Lines with CRLF, the last one, too; 50 to 90 µs for 5 kB of HTML. `placeholders` matches the texts that stay as
    they are, as its only group."""
    lines = _with_lf(text)
    if not lines.endswith("\n"):
        lines += "\n"
    if placeholders is None:
        return _encode(lines)
    constant, *following = placeholders.split(lines)
    pieces = [_closed(_encode(constant))]
    for placeholder, constant in zip(following[::2], following[1::2], strict=True):
        pieces += [placeholder.encode(), _SOFT_BREAK, _closed(_encode(constant))]
    return b"".join(pieces)


def encode_values(texts: Sequence[str]) -> list[bytes]:
    """The texts as they stand in place of placeholders. A name in ASCII takes 0.1 µs, another one 1 to 2."""
    if _is_plain("".join(texts)) and max(map(len, texts), default=0) <= _LONGEST:
        return [text.encode() for text in texts]
    return [text.encode() if len(text) <= _LONGEST and _is_plain(text) else _encode(_with_lf(text)) for text in texts]


def _is_plain(text: str) -> bool:
    """Whether nothing of the text is escaped, wherever a line begins in the text."""
    return text.isascii() and text.isprintable() and "=" not in text and "." not in text and "From " not in text


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _encode(lines: str) -> bytes:
    """Lines with CRLF, of at most 76 characters with a soft break behind them."""
    # b2a_qp takes the kind of its soft breaks from the first line end that it sees. The `x` keeps room for a soft break
    # behind the last line
    encoded = b2a_qp(lines.replace("\n", "\r\n").encode() + b"x\r\n", istext=True)[:-3]
    if b"\n." in encoded or b"\nFrom " in encoded or encoded.startswith((b".", b"From ")):
        encoded = _LINE_START.sub(_escape_start, encoded)
    if b"=20\r\n" in encoded or b"=09\r\n" in encoded:
        encoded = _ESCAPED_BLANK.sub(rb"\1=\r\n\2", encoded)
    return encoded


def _escape_start(start: re.Match[bytes]) -> bytes:
    """Each escape on a line of its own, because the line may be full. What follows the dots then begins a line, too."""
    return start[0].replace(b".", b"=2E=\r\n").replace(b"F", b"=46=\r\n")


def _closed(encoded: bytes) -> bytes:
    """The lines, with a soft break at the end unless a line ends there."""
    return encoded if not encoded or encoded.endswith(b"\r\n") else encoded + _SOFT_BREAK
