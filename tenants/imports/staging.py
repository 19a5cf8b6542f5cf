"""The temporary tables of one import: filled by COPY outside of any transaction, so that a bad file changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

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
    with connection.cursor() as cursor:
        cursor.execute(_DROP)
        cursor.execute(_CREATE)
    try:
        yield StagingTables()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(_DROP)
