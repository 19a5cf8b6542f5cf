"""Bytes of a file somebody calls CSV -> rows with their line numbers, one line in memory at a time.

UTF-8 with or without a byte order mark, CRLF or LF, quoted fields that hold newlines; comma, semicolon, tab or bar,
which a first line `sep=;` may name. What is invisible at the edges of a field is no part of it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from notifier.errors import InvalidInput
from notifier.values.trim import trimmed

#: a longer line is no row of people; it also bounds what a file without newlines can take of memory
MAX_LINE = 1024 * 1024
#: the longest attribute anybody should import; csv reads to the end of file behind a quote that is never closed
MAX_FIELD = 64 * 1024
SEPARATORS = ",;\t|"
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
    """The file is not what it claims to be; nothing of it was used."""

    code = "file_refused"


class BinarySource(Protocol):
    """What is read: an open binary file, an upload, a file in storage."""

    def read(self, size: int = ..., /) -> bytes: ...
    def readline(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that was left out, by the physical line on which it begins."""

    line: int
    reason: str


class LineReader:
    """The file's lines as text, counted. Raises Refused at the first byte that is no CSV in UTF-8."""

    def __init__(self, source: BinarySource | BinaryIO, max_bytes: int) -> None:
        self._source = source
        self._max_bytes = max_bytes
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
            # files that were joined have such a mark at the begin of each
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
    """A header and the rows below it. Each row is as wide as the header: programs leave out empty fields at its end."""

    def __init__(self, lines: LineReader, separator: str, header: list[str]) -> None:
        self.lines = lines
        self.separator = separator
        self.header = header

    def rows(self, *, named: bool = True) -> Iterator[tuple[int, list[str]] | RowProblem]:
        """(line on which the row begins, its fields), or why it cannot be read. Rows without any value are passed over,
        and so is the header when it comes once more, of a second file that was joined to the first; `named` is false
        for a file whose first line is no header."""
        again = [name.casefold() for name in self.header] if named else None
        for found in self._read():
            if isinstance(found, RowProblem):
                yield found
            elif any(row := self._fields(found[1])) and [field.casefold() for field in row] != again:
                yield self._of_width(found[0], row)

    @staticmethod
    def _fields(raw: list[str]) -> list[str]:
        row = [trimmed(field) for field in raw]
        while row and not row[-1]:
            row.pop()
        return row

    def _of_width(self, line: int, row: list[str]) -> tuple[int, list[str]] | RowProblem:
        surplus = len(row) - len(self.header)
        if surplus > 0:
            return RowProblem(line, f"has {len(row)} fields, the header {len(self.header)}")
        return line, row + [""] * -surplus

    def _read(self) -> Iterator[tuple[int, list[str]] | RowProblem]:
        csv.field_size_limit(MAX_FIELD)
        reader = csv.reader(self.lines, delimiter=self.separator, strict=True)
        while True:
            begins = self.lines.number + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._problem(begins, str(error))
                continue
            if fields:
                yield begins, fields

    def _problem(self, line: int, said: str) -> RowProblem:
        if "unexpected end of data" in said or "field limit" in said:
            raise UnreadableFile(
                f"A quote opened in the row at line {line} is not closed within {MAX_FIELD:,} characters."
            )
        if "new-line character" in said:
            raise UnreadableFile(f"Line {line} holds a bare carriage return; end lines with LF or CRLF.")
        return RowProblem(line, f"cannot be read as CSV: {said}")


def open_table(source: BinarySource | BinaryIO, max_bytes: int) -> CsvTable:
    """Read the header. Raises Refused for what is no CSV file."""
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
    """The next line that says something."""
    for line in lines:
        if trimmed(line):
            return line
    raise UnreadableFile("It is empty.")


def _read_whole_header(line: str, lines: LineReader) -> str:
    """A header with a line break inside quotes goes on in the next line."""
    while line.count('"') % 2 and len(line) <= MAX_FIELD:
        more = next(lines, "")
        if not more:
            break
        line += more
    return line


def _named_separator(line: str) -> str:
    """The separator that a line such as `sep=;` names, which Excel writes and reads; empty for another line."""
    found = _SEPARATOR_LINE.match(line.strip("\r\n"))
    if found and found[1] not in SEPARATORS:
        raise UnreadableFile(
            f"Its first line names the separator {found[1]!r}; it may be a comma, semicolon, tab or bar."
        )
    return found[1] if found else ""


def _split_header(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(line.splitlines(keepends=True), delimiter=separator, strict=True), [])
    except csv.Error:
        return []
