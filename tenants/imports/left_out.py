"""The rows that an import left out, as a file to mend and to upload again: each row as it was, with its line and the
reason in front. The file holds personal data, and is deleted after a week, or when a person is erased.

A spreadsheet must not calculate a cell of the file, so a cell that begins like a formula is marked. An import of the
mended file takes these marks off, and ignores the two columns in front.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import BinaryIO

from django.core.files.base import File
from django.core.files.storage import default_storage

from notifier.values.csv_cells import BOM, csv_line
from tenants.imports.csv_file import LINE_COLUMN, PROBLEM_COLUMN, BinarySource, RowProblem, open_table
from tenants.models import Import

KEPT = timedelta(days=7)
#: rows of one file; an import that leaves out more has a mistake in all of them
MAX_ROWS = 500_000


class LeftOutRows:
    """Collects rows on disk; `save` stores them. Use it in a `with` block."""

    def __init__(self) -> None:
        self.rows = 0
        self._header: Sequence[str] = ()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)

    def __enter__(self) -> LeftOutRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begin(self, header: Sequence[str]) -> None:
        """The columns of the file that is read."""
        self._header = [name for name in header if name.casefold() not in (LINE_COLUMN, PROBLEM_COLUMN)]
        self._kept = [i for i, name in enumerate(header) if name.casefold() not in (LINE_COLUMN, PROBLEM_COLUMN)]
        self._width = len(header)

    def add(self, problem: RowProblem) -> None:
        """One row; its cells are those of the whole header, and any surplus."""
        cells = problem.cells
        kept = [cells[i] for i in self._kept if i < len(cells)] + list(cells[self._width :])
        self._write(problem.line, problem.reason, kept)

    def add_lines(self, source: BinarySource | BinaryIO, reasons: Mapping[int, str], max_bytes: int) -> None:
        """Rows by their lines, read again from the file."""
        for row in open_table(source, max_bytes).rows():
            if not isinstance(row, RowProblem) and row[0] in reasons:
                self.add(RowProblem(row[0], reasons[row[0]], row[1]))

    def _write(self, line: int, reason: str, cells: Sequence[str]) -> None:
        if self.rows == MAX_ROWS:
            return
        if not self.rows:
            self._file.write((BOM + csv_line([LINE_COLUMN, PROBLEM_COLUMN, *self._header])).encode())
        self.rows += 1
        self._file.write(csv_line([line, reason, *cells]).encode())

    def save(self, job_id: uuid.UUID) -> str:
        """Store the file; returns its name in storage, or an empty text when no row was left out."""
        if not self.rows:
            return ""
        self._file.seek(0)
        return default_storage.save(f"imports/{job_id}-left-out.csv", File(self._file))


def delete_files(imports: Iterable[Import]) -> int:
    """Delete the files of these imports; returns how many."""
    count = 0
    for job in imports:
        default_storage.delete(job.left_out)
        Import.objects.filter(pk=job.pk).update(left_out="")
        count += 1
    return count


def delete_old(now: datetime) -> int:
    """Delete the files that are older than a week."""
    return delete_files(Import.objects.exclude(left_out="").filter(created_at__lt=now - KEPT))


def delete_all_of(tenant_id: uuid.UUID) -> int:
    """Delete the files of a tenant, of which one may hold a row of a person who is erased."""
    return delete_files(Import.objects.exclude(left_out="").filter(tenant_id=tenant_id))
