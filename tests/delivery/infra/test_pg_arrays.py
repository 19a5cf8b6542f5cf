"""Columns as PostgreSQL's binary arrays: the server reads back what was packed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from notifier.delivery.infra import bulk
from notifier.delivery.infra.pg_arrays import pack
from notifier.vocabulary.ids import new_id

BERLIN = timezone(timedelta(hours=2))
ONE = new_id()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("uuid", [ONE, None, uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)]),
        ("uuid", [ONE, ONE, ONE]),
        ("uuid", [ONE, None, ONE]),
        ("text", ["", "a", "ä𝄞", '{"quotes", \\ and commas}', "NULL", None, "x" * 70_000]),
        ("text", [None, None]),
        ("jsonb", ['{"a": [1, null], "b": "ü"}', None, "[]"]),
        ("smallint", [0, -32768, 32767, None]),
        ("integer", [0, -(2**31), 2**31 - 1, None]),
        ("bigint", [0, -(2**63), 2**63 - 1, None]),
        ("float8", [0.0, -1.5, 1e300, None]),
        ("boolean", [True, False, None]),
        (
            "timestamptz",
            [datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC), datetime(2030, 1, 1, 2, tzinfo=BERLIN), None],
        ),
        ("bigint", []),
        ("text", []),
    ],
)
def test_the_server_reads_what_was_packed(kind: str, values: Sequence[Any]) -> None:
    read = "value::text::json::text" if kind == "jsonb" else "value"
    with bulk.cursor() as cursor:
        packed = pack(kind, values)
        cursor.execute(f"SELECT {read} FROM unnest(%b::{kind}[]) WITH ORDINALITY AS a (value, n) ORDER BY n", [packed])
        assert [row[0] for row in cursor.fetchall()] == list(values)


def test_a_type_that_is_not_known_is_an_error() -> None:
    with pytest.raises(KeyError):
        pack("money", [1])
