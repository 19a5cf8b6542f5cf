"""What each request of a batch has for itself, checked and encoded for a whole batch at a time: its path, the headers
of its own, its content-length.

All steps are columns: no line of Python runs for each request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from operator import add
from typing import NamedTuple

from notifier.transport.h2.literals import BySize, own_start, path_start
from notifier.transport.h2.request_headers import (
    BAD_PATH,
    LONGEST_OWN,
    EncodedTemplate,
    Unsendable,
    end_of_block,
    is_sendable_path,
)
from notifier.vocabulary.http import RequestRows

_VISIBLE = bytes(range(0x21, 0x7F))
_IN_VALUES = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
#: RFC 9113 §8.2.1: a value neither starts nor ends with one of these
_BLANKS = (b"\n ", b"\n\t", b" \n", b"\t\n")
BAD_VALUE = "a header of its own is too long or holds a character that HTTP forbids"


class OwnParts(NamedTuple):
    """Columns. A header block is: start, what the batch shares, end without its last five bytes."""

    starts: Sequence[bytes]  #: the literal of :path; empty where requests share a path
    ends: Sequence[bytes]  #: the literals of own headers and content-length, then the head of the DATA frame
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
    """The rows, which `unsendable_rows` has checked."""
    bodies, paths = rows.bodies, rows.paths
    if paths is None and not rows.headers:
        return EncodedRows(bodies)
    starts = [b""] * len(bodies) if paths is None else list(map(add, _before(_PATHS, paths), paths))
    ends: Iterator[bytes] = map(_ENDS[template.sized].__getitem__, map(len, bodies))
    if rows.headers:
        pairs = zip(template.own_names, rows.headers, strict=True)
        own = chain.from_iterable((_before(BySize(partial(own_start, name)), values), values) for name, values in pairs)
        ends = map(b"".join, zip(*own, ends, strict=True))
    encoded = list(ends)
    return EncodedRows(bodies, OwnParts(starts, encoded, list(map(add, map(len, starts), map(len, encoded)))))


def _before(starts: BySize, values: Sequence[bytes]) -> Iterator[bytes]:
    return map(starts.__getitem__, map(len, values))


def unsendable_rows(rows: RequestRows) -> dict[int, Unsendable]:
    """Position of a row that can never be sent -> why."""
    if _are_paths(rows.paths or ()) and all(map(_are_values, rows.headers)) and _are_short(rows):
        return {}
    return {at: error for at in range(len(rows.bodies)) if (error := _error_of_row(rows, at))}


def _are_paths(paths: Sequence[bytes]) -> bool:
    lines = b"\n" + b"\n".join(paths)
    return not paths or (lines.count(b"\n/") == len(paths) and len(lines.translate(None, _VISIBLE)) == len(paths))


def _are_values(values: Sequence[bytes]) -> bool:
    lines = b"\n" + b"\n".join(values) + b"\n"
    return len(lines.translate(None, _IN_VALUES)) == len(values) + 1 and not any(map(lines.__contains__, _BLANKS))


def _are_short(rows: RequestRows) -> bool:
    columns = rows.headers if rows.paths is None else (rows.paths, *rows.headers)
    return max(map(sum, zip(*(map(len, column) for column in columns), strict=True)), default=0) <= LONGEST_OWN


def _error_of_row(rows: RequestRows, at: int) -> Unsendable | None:
    path = rows.paths[at] if rows.paths is not None else b"/"
    if not is_sendable_path(path):
        return Unsendable(BAD_PATH)
    values = [column[at] for column in rows.headers]
    if not all(_are_values([value]) for value in values) or len(path) + sum(map(len, values)) > LONGEST_OWN:
        return Unsendable(BAD_VALUE)
    return None
