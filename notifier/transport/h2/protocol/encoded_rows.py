"""What each request of a batch has for itself, checked and encoded for a whole batch at a time: its path, its own
headers, its content-length.

All steps are columns: no line of Python runs for each request.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import add
from typing import NamedTuple

from notifier.transport.h2.protocol.literals import BySize, own_start, path_start
from notifier.transport.h2.protocol.request_headers import (
    BAD_PATH,
    LONGEST_OWN,
    EncodedTemplate,
    Unsendable,
    end_of_block,
    is_sendable_path,
)
from notifier.vocabulary.http import RequestRows

BAD_VALUE = "a header of its own is too long or holds a character that HTTP forbids"


def _table(allowed: bytes) -> bytes:
    """A table for bytes.translate that changes every byte but these."""
    kept = frozenset(allowed)
    return bytes(byte if byte in kept else 0xFF ^ byte for byte in range(256))


_PATH_TABLE = _table(bytes(range(0x21, 0x7F)))
_VALUE_TABLE = _table(b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100)))


class OwnParts(NamedTuple):
    """Columns. A header block is: the start, what the batch shares, the end without the head of the DATA frame."""

    starts: Sequence[bytes]  #: the literal of :path; empty where the requests share their path
    ends: Sequence[bytes]  #: the literals of own headers and content-length, and the head of the DATA frame
    sizes: Sequence[int]  #: of start and end together

    def slice(self, start: int, stop: int | None = None) -> OwnParts:
        return OwnParts(self.starts[start:stop], self.ends[start:stop], self.sizes[start:stop])


class EncodedRows(NamedTuple):
    """`own` None: the requests differ in nothing but their bodies."""

    bodies: Sequence[bytes]
    own: OwnParts | None = None

    def slice(self, start: int, stop: int | None = None) -> EncodedRows:
        return EncodedRows(self.bodies[start:stop], self.own.slice(start, stop) if self.own else None)


_PATHS = BySize(path_start)
_ENDS = {sized: BySize(partial(end_of_block, sized=sized)) for sized in (False, True)}


def encode_rows(template: EncodedTemplate, rows: RequestRows) -> EncodedRows:
    """The rows, which `unsendable_rows` has checked. A path and two headers: 0.5 µs a row."""
    if rows.paths is None and not rows.headers:
        return EncodedRows(rows.bodies)
    starts = [b""] * len(rows.bodies) if rows.paths is None else list(map(add, _before(_PATHS, rows.paths), rows.paths))
    pieces: list[Sequence[bytes]] = []
    for name, values in zip(template.own_names, rows.headers, strict=True):
        pieces += [_before(BySize(partial(own_start, name)), values), values]
    pieces.append(list(map(_ENDS[template.sized].__getitem__, map(len, rows.bodies))))
    ends = list(map(b"".join, zip(*pieces, strict=True)))
    return EncodedRows(rows.bodies, OwnParts(starts, ends, list(map(add, map(len, starts), map(len, ends)))))


def _before(starts: BySize[bytes], values: Sequence[bytes]) -> Sequence[bytes]:
    """The bytes before each value."""
    sizes = set(map(len, values))
    if len(sizes) == 1:
        return [starts[sizes.pop()]] * len(values)
    return list(map(starts.__getitem__, map(len, values)))


def unsendable_rows(rows: RequestRows) -> dict[int, Unsendable]:
    """Position of a row that can never be sent -> why."""
    if _are_paths(rows.paths or ()) and all(map(_are_values, rows.headers)) and _are_short(rows):
        return {}
    return {at: error for at in range(len(rows.bodies)) if (error := _error_of_row(rows, at))}


def _are_paths(paths: Sequence[bytes]) -> bool:
    """All texts between two that begin with a slash begin with one, too."""
    return not paths or (min(paths)[:1] == max(paths)[:1] == b"/" and _are_of(_PATH_TABLE, paths))


def _are_values(values: Sequence[bytes]) -> bool:
    return _are_of(_VALUE_TABLE, values) and not any(value != value.strip(b" \t") for value in _with_blanks(values))


def _with_blanks(values: Sequence[bytes]) -> Sequence[bytes]:
    """The values, if any of them holds a blank: none may stand at an end (RFC 9113 §8.2.1)."""
    together = b"\n".join(values)
    return values if b" " in together or b"\t" in together else ()


def _are_of(table: bytes, texts: Sequence[bytes]) -> bool:
    """Whether a table keeps the texts. 2 ns a byte."""
    together = b"".join(texts)
    return together.translate(table) == together


def _are_short(rows: RequestRows) -> bool:
    columns = rows.headers if rows.paths is None else (rows.paths, *rows.headers)
    return sum(max(map(len, column), default=0) for column in columns) <= LONGEST_OWN


def _error_of_row(rows: RequestRows, at: int) -> Unsendable | None:
    path = rows.paths[at] if rows.paths is not None else b"/"
    if not is_sendable_path(path):
        return Unsendable(BAD_PATH)
    values = [column[at] for column in rows.headers]
    if not all(_are_values([value]) for value in values) or len(path) + sum(map(len, values)) > LONGEST_OWN:
        return Unsendable(BAD_VALUE)
    return None
