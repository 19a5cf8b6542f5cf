"""Cells of a CSV file that a spreadsheet opens: a text that begins like a formula is marked as text. Pure.

OWASP names the characters: https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MARK = "'"
#: rows of one piece of a stream: about 50 KB
_PIECE = 500
#: lets Excel read UTF-8
BOM = "\ufeff"


def formula_safe(cell: str) -> str:
    """The cell with a mark in front when a spreadsheet would calculate it."""
    return _MARK + cell if cell.startswith(_FORMULA) else cell


def without_mark(cell: str) -> str:
    """The cell as it was before `formula_safe`."""
    return cell[1:] if cell[:1] == _MARK and cell[1:].startswith(_FORMULA) else cell


def csv_line(cells: Sequence[object]) -> str:
    """One line, formula-safe, with CRLF."""
    return csv_text([cells])


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Lines, formula-safe, with CRLF. None is an empty cell; a number stays a number, also a negative one."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([formula_safe(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


def csv_stream(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """A file in pieces, for a response that streams: a byte order mark, the header, the rows."""
    yield (BOM + csv_line(header)).encode()
    piece: list[Sequence[object]] = []
    for row in rows:
        piece.append(row)
        if len(piece) == _PIECE:
            yield csv_text(piece).encode()
            piece = []
    if piece:
        yield csv_text(piece).encode()
