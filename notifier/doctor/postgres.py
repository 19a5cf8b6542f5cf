"""The database server: version, clocks, room, long transactions, vacuum, indexes, replication."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import Any

from django.db import Error, connection

from notifier.doctor.findings import Finding, error, warning
from notifier.doctor.registry import Options, Server, register

AWAY = error("database", "Nothing works: web answers 503, and workers wait.", "start PostgreSQL; check DATABASE_URL")
OLD = error("database-version", "The product needs PostgreSQL 15 or newer.", "upgrade PostgreSQL")
CLOCK = warning(
    "clock", "Messages leave early or late; at a minute web is refused.", "run NTP on both machines (chrony)"
)
CLOCK_FAR = error("clock-far", "The database refuses what web signs.", "run NTP on both machines (chrony)")
FULL = error("connections", "New processes and requests cannot connect.", "raise max_connections, or see operations")
NEARLY_FULL = warning("connections-high", "A few more processes will not connect.", "raise max_connections")
LONG = warning(
    "long-transaction",
    "It holds back vacuum, so tables grow and statements slow down.",
    "end it: `SELECT pg_terminate_backend(pid)`",
)
INVALID = warning("invalid-index", "It is written and never read.", "`REINDEX INDEX CONCURRENTLY` it, or drop it")
DEAD_ROWS = warning("dead-rows", "The table grows, and its statements slow down.", "`VACUUM (ANALYZE)` the table")
AUTOVACUUM = error("autovacuum", "Tables grow without end.", "set autovacuum = on in postgresql.conf")
WRAPAROUND = error("wraparound", "PostgreSQL will stop writing when no ids are left.", "`VACUUM FREEZE`; end old slots")
SLOT = warning(
    "replication-slot",
    "The server keeps WAL for it until the disk is full.",
    "start its consumer, or `SELECT pg_drop_replication_slot(name)`",
)
LAG = warning("replication-lag", "A failover loses it, and the replica's answers are old.", "look at the replica")
UNKNOWN_LAG = warning(
    "replication-hidden",
    "How far they are behind is not known.",
    "as a superuser: `GRANT pg_read_all_stats TO` the engine's role; meanwhile see the alert NotifierReplicaLag",
)
DISK = warning("database-disk", "PostgreSQL stops when the disk is full.", "add room, or delete old partitions")
DISK_FULL = error("database-disk-full", "PostgreSQL is about to stop.", "add room now")

OLDEST_VERSION = 15
#: seconds
CLOCK_SECONDS, CLOCK_FAR_SECONDS = 2.0, 30.0
LAG_SECONDS = 60
#: bytes of WAL that a slot may hold back
SLOT_BYTES = 1024**3
#: of 2 billion transaction ids
OLD_IDS = 1_000_000_000
#: dead rows of a table: so many, and so large a share
DEAD_LEAST, DEAD_SHARE = 50_000, 0.3


def away(options: Options) -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as problem:
        connection.close()
        yield AWAY.says(f"PostgreSQL cannot be reached: {str(problem).partition(chr(10))[0][:200]}.")


def version(options: Options) -> Iterator[Finding]:
    found = int(_one("SHOW server_version_num")) // 10_000
    if found < OLDEST_VERSION:
        yield OLD.says(f"The server is PostgreSQL {found}.")


def clock(options: Options) -> Iterator[Finding]:
    before = time.time()
    there = float(_one("SELECT extract(epoch FROM clock_timestamp())::float8"))
    after = time.time()
    # what the round trip leaves open counts for neither
    apart = max(0.0, before - there, there - after)
    if apart > CLOCK_FAR_SECONDS:
        yield CLOCK_FAR.says(f"The clocks of this machine and of the database differ by {apart:.0f} s.")
    elif apart > CLOCK_SECONDS:
        yield CLOCK.says(f"The clocks of this machine and of the database differ by {apart:.1f} s.")


def connections(options: Options) -> Iterator[Finding]:
    used, most = _row(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int",
    )
    yield from judge_connections(used, most)


def judge_connections(used: int, most: int) -> Iterator[Finding]:
    """Pure."""
    text = f"{used} of {most} connections of the database are in use."
    if used >= most * 0.95:
        yield FULL.says(text)
    elif used >= most * 0.8:
        yield NEARLY_FULL.says(text)


def long_transactions(options: Options) -> Iterator[Finding]:
    rows = _all(
        "SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start)::int FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        f" AND clock_timestamp() - xact_start > interval '{options.transaction_seconds} s' ORDER BY xact_start LIMIT 5"
    )
    for pid, name, seconds in rows:
        yield LONG.says(f"The transaction of process {pid} ({name or 'no name'}) is open for {seconds} s.")


def indexes(options: Options) -> Iterator[Finding]:
    rows = _all(
        "SELECT c.relname, t.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_class t ON t.oid = i.indrelid"
        " WHERE NOT i.indisvalid AND t.relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    for name, table in rows:
        yield INVALID.says(f"The index {name} of {table} is not valid.")


def vacuum(options: Options) -> Iterator[Finding]:
    if _one("SHOW autovacuum") != "on":
        yield AUTOVACUUM.says("Autovacuum is off.")
    rows = _all(
        "SELECT relname, n_live_tup, n_dead_tup, last_autovacuum FROM pg_stat_user_tables"
        f" WHERE n_dead_tup > {DEAD_LEAST} ORDER BY n_dead_tup DESC"
    )
    for table, live, dead, last in rows:
        if has_too_many_dead(live, dead):
            when = f"autovacuum came last at {last:%Y-%m-%d %H:%M}" if last else "autovacuum never came"
            yield DEAD_ROWS.says(f"{table} has {dead} dead rows beside {live} live ones; {when}.")
    age = int(_one("SELECT max(age(datfrozenxid)) FROM pg_database"))
    if age > OLD_IDS:
        yield WRAPAROUND.says(f"The oldest transaction id is {age} transactions old.")


def has_too_many_dead(live: int, dead: int) -> bool:
    """Pure."""
    return dead > DEAD_LEAST and dead > DEAD_SHARE * (live + dead)


def replication(options: Options) -> Iterator[Finding]:
    slots = _all(
        "SELECT slot_name, active, coalesce(CASE WHEN pg_is_in_recovery() THEN 0"
        " ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) END, 0)::bigint FROM pg_replication_slots"
    )
    for name, active, held in slots:
        if not active or held > SLOT_BYTES:
            used = "is used by nobody" if not active else "is behind"
            yield SLOT.says(f"The replication slot {name} {used}, and holds {held // 1024**2} MiB of WAL.")
    for name, seconds in _all(
        "SELECT application_name, extract(epoch FROM replay_lag)::float8 FROM pg_stat_replication"
        f" WHERE replay_lag > interval '{LAG_SECONDS} s'"
    ):
        yield LAG.says(f"The replica {name} is {seconds:.0f} s behind.")
    # a role that may not see the statistics of others sees the process only
    if hidden := int(_one("SELECT count(*) FROM pg_stat_replication WHERE state IS NULL")):
        yield UNKNOWN_LAG.says(f"The state of {hidden} of the replicas is hidden from this role.")


def disk(options: Options) -> Iterator[Finding]:
    if options.database_folder is None:
        return
    usage = shutil.disk_usage(options.database_folder)
    free = usage.free / usage.total
    text = f"The disk of {options.database_folder} has {free:.0%} free."
    if free < 0.05:
        yield DISK_FULL.says(text)
    elif free < 0.15:
        yield DISK.says(text)


def _one(statement: str) -> Any:
    return _all(statement)[0][0]


def _row(*statements: str) -> list[Any]:
    return [_one(statement) for statement in statements]


def _all(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def register_checks() -> None:
    register("database", away, proves=Server.DATABASE)
    for name, run in (
        ("version of PostgreSQL", version),
        ("clocks", clock),
        ("connections", connections),
        ("long transactions", long_transactions),
        ("indexes", indexes),
        ("vacuum", vacuum),
        ("replication", replication),
    ):
        register(name, run, Server.DATABASE)
    register("disk of the database", disk)
