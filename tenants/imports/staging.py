"""The temporary tables of one import, of recipients or of consents: filled by COPY outside of any transaction, so that
a bad file changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection

from notifier.vocabulary.ids import new_id
from tenants.imports.column_types import AttributeType
from tenants.imports.row_parser import RecipientRow

_DROP = "DROP TABLE IF EXISTS pg_temp.import_row, pg_temp.import_device"
_CREATE = """
CREATE TEMPORARY TABLE import_row (id uuid, line int, external_id text, name text, email text, phone text,
                                   locale text, timezone text, attributes jsonb);
CREATE TEMPORARY TABLE import_device (id uuid, line int, external_id text, platform text, app text, token text);
"""


class StagingTables:
    """Visible to this session only, and dropped with it."""

    def copy(self, batch: Iterable[RecipientRow]) -> None:
        """COPY one batch of rows into the tables."""
        rows = list(batch)
        with connection.cursor() as cursor:
            with cursor.copy("COPY import_row FROM STDIN") as copy:
                for row in rows:
                    fields = (row.external_id, row.name, row.email, row.phone, row.locale, row.timezone)
                    copy.write_row((new_id(), row.line, *fields, row.attributes))
            with cursor.copy("COPY import_device FROM STDIN") as copy:
                for row in rows:
                    if row.token:
                        copy.write_row((new_id(), row.line, row.external_id, row.platform, row.app, row.token))

    def restore_text(self, path: Sequence[str], kind: AttributeType, spelling: str) -> None:
        """Turn the attribute's values of this type back into text as it was written."""
        text = f"{spelling}(attributes #>> %(path)s)" if kind == AttributeType.BOOLEAN else "attributes #>> %(path)s"
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE import_row SET attributes = jsonb_set(attributes, %(path)s, to_jsonb({text}))"
                " WHERE jsonb_typeof(attributes #> %(path)s) = %(kind)s",
                {"path": list(path), "kind": kind.value},
            )

    def analyze(self) -> None:
        """Compute statistics once all rows are copied: PostgreSQL does not for temporary tables. Rough ones suffice."""
        with connection.cursor() as cursor:
            cursor.execute("SET default_statistics_target = 10; ANALYZE import_row; ANALYZE import_device")
            cursor.execute("RESET default_statistics_target")


@contextmanager
def staging_tables() -> Iterator[StagingTables]:
    """Empty tables, dropped at the end of the block whatever happens."""
    with _temporary(_CREATE, _DROP):
        yield StagingTables()


_DROP_CONSENTS = "DROP TABLE IF EXISTS pg_temp.import_consent"
_CREATE_CONSENTS = """
CREATE TEMPORARY TABLE import_consent (line int, external_id text, category text, channel text, consent boolean,
                                       at timestamptz, source text, cells text[])
"""
_NEXT_CONSENTS = "SELECT * FROM import_consent WHERE (at, line) > (%s, %s) ORDER BY at, line LIMIT %s"


class StagedConsents:
    """The rows of a file of consents: come in the order of the file, go in the order of their times."""

    def copy(self, rows: Iterable[Sequence[object]]) -> None:
        """COPY rows of all columns into the table."""
        with connection.cursor() as cursor, cursor.copy("COPY import_consent FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def batches(self, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows by time, then line; a batch may be stored before the next one is read."""
        last: tuple[datetime | str, int] = "-infinity", 0
        with connection.cursor() as cursor:
            cursor.execute("CREATE INDEX ON import_consent (at, line); ANALYZE import_consent (at, line)")
            while True:
                cursor.execute(_NEXT_CONSENTS, [*last, size])
                rows = cursor.fetchall()
                if not rows:
                    return
                yield rows
                last = rows[-1][5], rows[-1][0]


@contextmanager
def staged_consents() -> Iterator[StagedConsents]:
    """An empty table, dropped at the end of the block whatever happens."""
    with _temporary(_CREATE_CONSENTS, _DROP_CONSENTS):
        yield StagedConsents()


@contextmanager
def _temporary(create: str, drop: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(drop)
        cursor.execute(create)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(drop)
