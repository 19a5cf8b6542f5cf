"""The database server: what is provoked for real, and the tables of what is judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from notifier.doctor import postgres
from notifier.doctor.registry import Options
from tests.doctor.conftest import Look


@pytest.fixture
def other(db: None) -> Iterator[psycopg.Connection]:
    """A second connection of the engine's role."""
    with psycopg.connect(**connection.get_connection_params() | {"autocommit": True}) as opened:
        yield opened


NAMES = [
    "database", "version of PostgreSQL", "clocks", "connections", "long transactions", "indexes", "vacuum",
    "replication", "disk of the database",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_server_has_no_finding(name: str, look: Look) -> None:
    assert look(name) == []


def test_an_open_transaction(look: Look, other: psycopg.Connection) -> None:
    with other.transaction():
        other.execute("SELECT 1")
        (line,) = look("long transactions", Options(transaction_seconds=0.0))
    assert line.startswith(f"warning long-transaction: The transaction of process {other.info.backend_pid} (")


def test_an_index_that_is_not_valid(look: Look, other: psycopg.Connection) -> None:
    other.execute("CREATE TABLE doctor_twins AS SELECT 1 AS n FROM generate_series(1, 2)")
    try:
        with pytest.raises(psycopg.errors.UniqueViolation):
            other.execute("CREATE UNIQUE INDEX CONCURRENTLY doctor_twins_n ON doctor_twins (n)")
        assert look("indexes") == ["warning invalid-index: The index doctor_twins_n of doctor_twins is not valid."]
    finally:
        other.execute("DROP TABLE doctor_twins")


def test_a_disk_is_looked_at_where_it_is_seen(look: Look, tmp_path: Path) -> None:
    assert look("disk of the database", Options(database_folder=tmp_path / "missing")) == [
        "warning not-checked: The check disk of the database failed: FileNotFoundError."
    ]


@pytest.mark.parametrize(
    ("used", "codes"), [(10, []), (79, []), (80, ["connections-high"]), (95, ["connections"]), (100, ["connections"])]
)
def test_connections_are_judged(used: int, codes: list[str]) -> None:
    assert [finding.kind.code for finding in postgres.judge_connections(used, 100)] == codes


@pytest.mark.parametrize(
    ("live", "dead", "too_many"),
    [(0, 49_999, False), (0, 60_000, True), (1_000_000, 60_000, False), (100_000, 60_000, True)],
)
def test_dead_rows_are_judged(live: int, dead: int, too_many: bool) -> None:
    assert postgres.has_too_many_dead(live, dead) is too_many
