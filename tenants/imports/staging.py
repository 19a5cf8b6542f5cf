"""The staging tables of one import: filled by COPY outside any transaction, so that a bad file touches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

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


@dataclass
class StagingTables:
    """Rows of this session only; gone with it."""

    def add(self, rows: Iterable[RecipientRow]) -> None:
        """COPY one batch."""
        held = list(rows)
        with connection.cursor() as cursor:
            with cursor.copy("COPY import_row FROM STDIN") as copy:
                for row in held:
                    person = (row.external_id, row.name, row.email, row.phone, row.locale, row.timezone)
                    copy.write_row((new_id(), row.line, *person, row.attributes))
            with cursor.copy("COPY import_device FROM STDIN") as copy:
                for row in held:
                    if row.token:
                        copy.write_row((new_id(), row.line, row.external_id, row.platform, row.app, row.token))

    def untype(self, path: Sequence[str], kind: AttributeType, spelling: str) -> None:
        """Back to text, as it was written: a later value of this column was none of its type."""
        text = f"{spelling}(attributes #>> %(path)s)" if kind == AttributeType.BOOLEAN else "attributes #>> %(path)s"
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE import_row SET attributes = jsonb_set(attributes, %(path)s, to_jsonb({text}))"
                " WHERE jsonb_typeof(attributes #> %(path)s) = %(kind)s",
                {"path": list(path), "kind": kind.value},
            )

    def close(self) -> None:
        """All rows are in: temporary tables have no statistics unless they are asked for; rough ones will do."""
        with connection.cursor() as cursor:
            cursor.execute("SET default_statistics_target = 10; ANALYZE import_row; ANALYZE import_device")
            cursor.execute("RESET default_statistics_target")


@contextmanager
def staging_tables() -> Iterator[StagingTables]:
    """Empty staging tables, dropped at the end whatever happens."""
    with connection.cursor() as cursor:
        cursor.execute(_DROP)
        cursor.execute(_CREATE)
    try:
        yield StagingTables()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(_DROP)
