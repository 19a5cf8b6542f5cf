"""The rows that an import left out, as a file to mend and to upload again: each row as it was, with its line and the
reason in front. The file holds personal data, and is deleted after a week, or when a person is erased. An erased
person's row is not stored.

A spreadsheet must not calculate a cell of the file, so a cell that begins like a formula is marked. An import of the
mended file takes these marks off, and ignores the two columns in front.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import BinaryIO

import orjson
from django.core.files.base import File
from django.core.files.storage import default_storage

from notifier.values.csv_cells import BOM, csv_line, csv_text
from tenants.imports.columns import external_id_column
from tenants.imports.csv_file import LINE_COLUMN, PROBLEM_COLUMN, BinarySource, RowProblem, open_table
from tenants.models import Import, Recipient

KEPT = timedelta(days=7)
#: rows of one file; an import that leaves out more has a mistake in all of them
MAX_ROWS = 500_000
#: rows whose recipients are looked up at once
_BATCH = 1_000


class LeftOutRows:
    """Collects rows on disk, as lines of JSON; `save` stores them as CSV. Use it in a `with` block."""

    def __init__(self) -> None:
        self.rows = 0
        self._header: Sequence[str] = ()
        self._id_column: int | None = None
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
        self._id_column = external_id_column(self._header)

    def add(self, problem: RowProblem) -> None:
        """One row; its cells are those of the whole header, and any surplus."""
        if self.rows < MAX_ROWS:
            self.rows += 1
            row = problem.line, problem.reason, self._kept_cells(problem)
            self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def add_lines(self, source: BinarySource | BinaryIO, reasons: Mapping[int, str], max_bytes: int) -> None:
        """Rows by their lines, read again from the file."""
        for row in open_table(source, max_bytes).rows():
            if not isinstance(row, RowProblem) and row[0] in reasons:
                self.add(RowProblem(row[0], reasons[row[0]], row[1]))

    def save(self, job: Import) -> str:
        """Store the file; returns its name in storage, or an empty text when no row was left out. A row of a person
        who is erased by now is not stored. The job's row names the file before there is one, so that no file is left
        if this process dies."""
        name = f"imports/{job.pk}-left-out.csv"
        Import.objects.filter(pk=job.pk).update(left_out=name)
        default_storage.delete(name)  # of a worker that died
        self._file.seek(0)
        with tempfile.TemporaryFile() as file:
            while rows := [orjson.loads(line) for line in islice(self._file, _BATCH)]:
                erased = erased_ids(job.tenant_id, [self._id(cells) for _, _, cells in rows])
                kept = [[line, reason, *cells] for line, reason, cells in rows if self._id(cells) not in erased]
                if kept and not file.tell():
                    file.write((BOM + csv_line([LINE_COLUMN, PROBLEM_COLUMN, *self._header])).encode())
                file.write(csv_text(kept).encode())
            if not file.tell():
                return ""
            file.seek(0)
            return default_storage.save(name, File(file))

    def without_quotations(self, tenant_id: uuid.UUID, problems: Sequence[RowProblem]) -> list[RowProblem]:
        """The problems; those with rows of people who are erased by now quote no value but the id."""
        ids = [self._id(self._kept_cells(problem)) for problem in problems]
        erased = erased_ids(tenant_id, ids)
        return [
            RowProblem(problem.line, erased_reason(name)) if name in erased else problem
            for problem, name in zip(problems, ids, strict=True)
        ]

    def _kept_cells(self, problem: RowProblem) -> list[str]:
        cells = problem.cells
        return [cells[i] for i in self._kept if i < len(cells)] + list(cells[self._width :])

    def _id(self, cells: Sequence[str]) -> str:
        return cells[self._id_column] if self._id_column is not None and self._id_column < len(cells) else ""


def erased_ids(tenant_id: uuid.UUID, external_ids: Collection[str]) -> set[str]:
    """Those of the ids whose recipients were erased."""
    erased = Recipient.objects.filter(tenant_id=tenant_id, status=Recipient.State.ERASED)
    return set(erased.filter(external_id__in={*external_ids}).values_list("external_id", flat=True))


def erased_reason(external_id: str) -> str:
    """Why the row of an erased person is left out."""
    return f"external_id: {external_id!r} was erased and is not created again"


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
