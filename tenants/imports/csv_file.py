"""Bytes of a file that claims to be CSV -> rows with their line numbers, one line in memory at a time.

UTF-8 with or without a byte order mark; CRLF or LF; quoted fields that contain line breaks; separated by comma,
semicolon, tab or bar, which a first line `sep=;` may name. Invisible characters at the edges of a field are removed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from notifier.errors import InvalidInput
from notifier.values.csv_cells import without_mark
from notifier.values.trim import trimmed

#: a longer line is no row of recipients; also bounds the memory for a file without line breaks
MAX_LINE = 1024 * 1024
#: the longest field; behind a quote that is never closed, csv reads to the end of the file
MAX_FIELD = 64 * 1024
SEPARATORS = ",;\t|"
#: the columns in front of a file of rows that an import left out (tenants.imports.left_out); they are no data
LINE_COLUMN, PROBLEM_COLUMN = "notifier_line", "notifier_problem"
_SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?\s*\Z', re.IGNORECASE)
_SIGNATURES = {
    b"PK\x03\x04": "It is a ZIP file or an Excel workbook; save it as CSV (UTF-8).",
    b"\xd0\xcf\x11\xe0": "It is an old Excel workbook; save it as CSV (UTF-8).",
    b"\x1f\x8b": "It is compressed with gzip; unpack it first.",
    b"%PDF": "It is a PDF.",
    b"\xff\xfe": "It is UTF-16; save it as UTF-8.",
    b"\xfe\xff": "It is UTF-16; save it as UTF-8.",
}


class UnreadableFile(InvalidInput):
    """The file is no CSV file in UTF-8, or its header cannot be understood. Nothing of the file was used."""

    code = "file_refused"


class BinarySource(Protocol):
    """An open binary file, an upload, or a file in storage."""

    def read(self, size: int = ..., /) -> bytes: ...
    def readline(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row was left out. `line` is the physical line on which the row begins."""

    line: int
    reason: str
    #: the row, where it could be read
    cells: Sequence[str] = field(default=(), compare=False, repr=False)


#: (line, cells); a named tuple would cost 0.2 µs a row, twice
CsvRow = tuple[int, list[str]]


class LineReader:
    """Iterates over the file's lines as text. Raises UnreadableFile at the first byte that is no CSV in UTF-8."""

    def __init__(self, source: BinarySource | BinaryIO, max_bytes: int) -> None:
        self._source = source
        self._max_bytes = max_bytes
        #: the number of the line that was read last; the first line is 1
        self.number = 0
        self.bytes_read = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._source.readline(MAX_LINE + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        self.bytes_read += len(raw)
        self._check(raw)
        try:
            # joined files have a byte order mark at the beginning of each
            return raw.decode().lstrip("\ufeff")
        except UnicodeDecodeError as error:
            byte = raw[error.start]
            raise UnreadableFile(
                f"It is not UTF-8: byte 0x{byte:02X} in line {self.number}. Save it as CSV (UTF-8)."
            ) from error

    def _check(self, raw: bytes) -> None:
        if self.number == 1:
            for signature, reason in _SIGNATURES.items():
                if raw.startswith(signature):
                    raise UnreadableFile(reason)
        if b"\0" in raw:
            raise UnreadableFile(
                f"Line {self.number} holds a zero byte; it is binary, or in another encoding than UTF-8."
            )
        if len(raw) > MAX_LINE:
            raise UnreadableFile(f"Line {self.number} is longer than {MAX_LINE:,} bytes.")
        if self.bytes_read > self._max_bytes:
            raise UnreadableFile(f"It is larger than {self._max_bytes:,} bytes; split it.")


class CsvTable:
    """A header and the rows below it. Rows are filled up to the width of the header, because programs leave out empty
    cells at the end of a row."""

    def __init__(self, lines: LineReader, separator: str, header: list[str]) -> None:
        self.lines = lines
        self.separator = separator
        self.header = header

    def rows(self, *, has_header: bool = True) -> Iterator[CsvRow | RowProblem]:
        """Each row, or why it cannot be read. Skips empty rows, and repeated headers, which joined files have.
        `has_header` is false for a file whose first line is a row."""
        header = [name.casefold() for name in self.header] if has_header else None
        is_report = header is not None and PROBLEM_COLUMN in header
        for row in self._read():
            if isinstance(row, RowProblem):
                yield row
                continue
            line, raw_cells = row
            if is_report:
                raw_cells = [without_mark(cell) for cell in raw_cells]
            if any(cells := self._trim(raw_cells)) and [cell.casefold() for cell in cells] != header:
                yield self._fill(line, cells)

    @staticmethod
    def _trim(cells: list[str]) -> list[str]:
        trimmed_cells = [trimmed(cell) for cell in cells]
        while trimmed_cells and not trimmed_cells[-1]:
            trimmed_cells.pop()
        return trimmed_cells

    def _fill(self, line: int, cells: list[str]) -> CsvRow | RowProblem:
        surplus = len(cells) - len(self.header)
        if surplus > 0:
            return RowProblem(line, f"has {len(cells)} fields, the header {len(self.header)}", cells)
        return line, cells + [""] * -surplus

    def _read(self) -> Iterator[CsvRow | RowProblem]:
        csv.field_size_limit(MAX_FIELD)
        reader = csv.reader(self.lines, delimiter=self.separator, strict=True)
        while True:
            line = self.lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._problem(line, str(error))
                continue
            if cells:
                yield line, cells

    def _problem(self, line: int, message: str) -> RowProblem:
        if "unexpected end of data" in message or "field limit" in message:
            raise UnreadableFile(
                f"A quote opened in the row at line {line} is not closed within {MAX_FIELD:,} characters."
            )
        if "new-line character" in message:
            raise UnreadableFile(f"Line {line} holds a bare carriage return; end lines with LF or CRLF.")
        return RowProblem(line, f"cannot be read as CSV: {message}")


def open_table(source: BinarySource | BinaryIO, max_bytes: int) -> CsvTable:
    """Read the header. Raises UnreadableFile for a file that is no CSV."""
    lines = LineReader(source, max_bytes)
    first = _read_whole_header(_first_filled_line(lines), lines)
    separator = _named_separator(first)
    if separator:
        first = _read_whole_header(_first_filled_line(lines), lines)
    separator = separator or max(SEPARATORS, key=lambda s: len(_split_header(first, s)))
    header = [trimmed(name) for name in _split_header(first, separator)]
    while header and not header[-1]:
        header.pop()
    if not header:
        raise UnreadableFile("Its first line names no columns.")
    return CsvTable(lines, separator, header)


def _first_filled_line(lines: LineReader) -> str:
    """The next line that is not empty."""
    for line in lines:
        if trimmed(line):
            return line
    raise UnreadableFile("It is empty.")


def _read_whole_header(line: str, lines: LineReader) -> str:
    """The line, joined with the next ones while a quote is open: a header may have line breaks inside of quotes."""
    while line.count('"') % 2 and len(line) <= MAX_FIELD:
        next_line = next(lines, "")
        if not next_line:
            break
        line += next_line
    return line


def _named_separator(line: str) -> str:
    """The separator that a line such as `sep=;` names, which Excel writes and reads; empty for another line."""
    match = _SEPARATOR_LINE.match(line.strip("\r\n"))
    if match and match[1] not in SEPARATORS:
        raise UnreadableFile(
            f"Its first line names the separator {match[1]!r}; it may be a comma, semicolon, tab or bar."
        )
    return match[1] if match else ""


def _split_header(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(line.splitlines(keepends=True), delimiter=separator, strict=True), [])
    except csv.Error:
        return []
