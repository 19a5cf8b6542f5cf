"""Drops the tables of months whose messages are all older than every tenant keeps them. A table with a row that must
stay is not dropped: its other rows go one by one.

`DETACH PARTITION … CONCURRENTLY` is not allowed beside a DEFAULT partition. So the table is detached under a lock of
the parent for which it waits 0.1 s at most, and tries again: claims wait behind it for that long and no longer. After
that nothing else of the installation sees the table: it is counted in small transactions, and dropped. A backup that
reads the table (`pg_dump`) keeps it: the next run tries again.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.utils import DatabaseError, OperationalError

from notifier.delivery.infra.ttl_cache import TtlCache
from notifier.delivery.retention.counts import COLUMNS, count_messages
from notifier.delivery.retention.rows import STAYS
from notifier.models import RetiredPartition
from notifier.models.partitions import PARTITIONED, bounds, default_rows, month_after
from notifier.vocabulary.ids import id_floor
from tenants.database.connections import own_session
from tenants.retention.periods import Cutoffs
from tenants.retention.registry import Amount, Pace

log = structlog.get_logger("notifier.retention")

LEDGER, EVENTS = "notifier_delivery", "notifier_deliveryevent"
LOCK_TIMEOUT = "100ms"
#: tries of one run, and seconds between them
TRIES, PAUSE = 20, 2.0
#: rows that one transaction counts
CHUNK = 20_000
#: months in which a search through the whole table found something that must stay: this process does not search again
#: for so long
_held = TtlCache[str, bool](seconds=3 * 3600.0)

#: counts rows of the detached table with ids after the first and up to the second, in the caller's transaction
Count = Callable[[str, Any, Any], None]


@dataclass(frozen=True)
class Rule:
    """When a month of one table may go: not while one of these SQL conditions is true. They have the table's name as
    `{month}`, and the parameters low, high (ids), low_ms, high_ms and cutoff. `holds`: found by an index, so they are
    asked first, and in each run; `scans` may read the whole month."""

    table: str
    holds: Sequence[str] = ()
    scans: Sequence[str] = ()
    count: Count | None = None


@dataclass(frozen=True)
class Month:
    """One table."""

    parent: str
    name: str
    first: date

    @property
    def end(self) -> datetime:
        after = month_after(self.first)
        return datetime(after.year, after.month, 1, tzinfo=UTC)

    def values(self, cutoff: datetime) -> dict[str, Any]:
        low, high = bounds(self.first)
        begin = datetime(self.first.year, self.first.month, 1, tzinfo=UTC)
        ms = {"low_ms": int(begin.timestamp() * 1000), "high_ms": int(self.end.timestamp() * 1000)}
        return {"low": low, "high": high, "cutoff": cutoff, **ms}


#: for tables that follow the ledger: a detached month of the ledger may be attached again
LEDGER_UNCHECKED = f"EXISTS (SELECT FROM notifier_retiredpartition p WHERE p.parent = '{LEDGER}' AND NOT p.checked)"


def _count_deliveries(name: str, after: Any, until: Any) -> None:
    source = f"(SELECT {', '.join(COLUMNS)} FROM {name} WHERE id > %(after)s AND id <= %(until)s)"
    with connection.cursor() as cursor:
        cursor.execute(count_messages(source), {"after": after, "until": until})


_rules: dict[str, Rule] = {
    LEDGER: Rule(
        LEDGER,
        scans=(
            f"EXISTS (SELECT FROM {{month}} d WHERE {STAYS})",
            "EXISTS (SELECT FROM {month} d JOIN notifier_route r ON r.notification_id = d.notification_id"
            " WHERE r.due_at IS NOT NULL)",
        ),
        count=_count_deliveries,
    ),
    # a message that stays keeps its history
    EVENTS: Rule(
        EVENTS,
        holds=(LEDGER_UNCHECKED,),
        scans=(
            "EXISTS (SELECT FROM notifier_delivery d JOIN {month} e ON e.delivery_id = d.id"
            " WHERE d.id < %(high)s::uuid)",
        ),
    ),
}


def register_rule(rule: Rule) -> None:
    """For a partitioned table of an upper package. Call it in `AppConfig.ready`."""
    _rules[rule.table] = rule


def register_hold(table: str, condition: str) -> None:
    """One more condition (found by an index) under which a month of this table stays. Call it in `AppConfig.ready`."""
    rule = _rules[table]
    if condition not in rule.holds:
        _rules[table] = replace(rule, holds=(*rule.holds, condition))


def reset() -> None:
    """Forget which months this process found held."""
    _held.clear()


def retire(everybody: list[Cutoffs], pace: Pace) -> None:
    """The preparation of each run (tenants.retention.registry): drop what may go, and say what is in a DEFAULT. One
    process does so at a time."""
    with _alone() as alone:
        if alone and everybody:
            _retire_old(everybody[0].longest, pace)
    for table, rows in default_rows().items():
        log.error("rows in a DEFAULT partition", action="partitions", table=table, rows=rows)


@contextmanager
def _alone() -> Iterator[bool]:
    """Yields whether no other process retires months, until the block ends. A killed worker frees the lock."""
    with own_session(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('notifier.retention'))")
        alone = bool(cursor.fetchone()[0])
        try:
            yield alone
        finally:
            if alone:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('notifier.retention'))")


def _retire_old(longest: datetime, pace: Pace) -> None:
    finish_detached(longest, pace)
    for rule in _rules_in_order():
        for month in _old(rule.table, longest):
            if pace.may_go_on() and not _stays(rule, month, longest) and _detach(month):
                finish_detached(longest, pace)


def preview(longest: datetime) -> Iterator[Amount]:
    """The months that `retire` would drop now, with PostgreSQL's estimate of their rows; without those that follow the
    ledger's."""
    for rule in _rules_in_order():
        for month in _old(rule.table, longest):
            if not _is_held(rule, month, longest):
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT greatest(0, reltuples)::bigint, pg_total_relation_size(oid) FROM pg_class"
                        " WHERE oid = %s::regclass",
                        [month.name],
                    )
                    yield Amount(month.name, *cursor.fetchone())


def _rules_in_order() -> list[Rule]:
    """The ledger first: the messages of the inbox, and then the events, follow the messages whose ids they have."""
    return sorted(_rules.values(), key=lambda rule: (rule.table != LEDGER, rule.table == EVENTS, rule.table))


def _old(table: str, longest: datetime) -> list[Month]:
    """The months of the table that are older than every tenant keeps them, the oldest first."""
    return [month for month in months_of(table) if month.end <= longest]


def months_of(table: str) -> list[Month]:
    """All months of a table, the oldest first; without the DEFAULT."""
    assert table in PARTITIONED
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass ORDER BY 1",
            [table],
        )
        names = [row[0] for row in cursor.fetchall()]
    return [_month(table, name) for name in names if re.fullmatch(rf"{table}_\d{{4}}_\d\d", name)]


def _month(table: str, name: str) -> Month:
    year, month = name.removeprefix(table).split("_")[1:]
    return Month(table, name, date(int(year), int(month), 1))


def _stays(rule: Rule, month: Month, cutoff: datetime) -> bool:
    """The same as `_is_held`; but a month that was searched and is held is not searched in each run."""
    if _any(rule.holds, month, cutoff) or _held.get(month.name):
        return True
    if is_held := _any(rule.scans, month, cutoff):
        _held.keep(month.name, True)
    return is_held


def _is_held(rule: Rule, month: Month, cutoff: datetime) -> bool:
    """Whether something in the month must stay. May read the whole table, under no lock."""
    return _any((*rule.holds, *rule.scans), month, cutoff)


def _any(conditions: Sequence[str], month: Month, cutoff: datetime) -> bool:
    """Whether one of these SQL conditions is true; the first one that is true ends the search."""
    with connection.cursor() as cursor:
        for condition in conditions:
            cursor.execute(f"SELECT {condition.format(month=month.name)}", month.values(cutoff))
            if cursor.fetchone()[0]:
                return True
    return False


def _detach(month: Month) -> bool:
    """Detach the month. False while the parent is never free for a moment; the next run tries again."""

    def detach() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {month.parent} DETACH PARTITION {month.name}")
        RetiredPartition.objects.create(name=month.name, parent=month.parent, counted=id_floor(0))

    is_done = _with_short_lock(detach)
    log.info("partition detached" if is_done else "partition is busy", action="detach", table=month.name)
    return is_done


def _with_short_lock(act: Callable[[], None]) -> bool:
    """Do this in a transaction that waits for a lock 0.1 s at most, and try again. False: always busy."""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * random.uniform(0.5, 1.5))  # noqa: S311 (so that two workers do not meet again)
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                act()
        except OperationalError as error:
            if not _is_busy(error):
                raise
        else:
            return True
    return False


def _is_busy(error: OperationalError) -> bool:
    """Whether a lock was not free in time."""
    return getattr(error.__cause__, "sqlstate", "") == "55P03"  # lock_not_available


def finish_detached(longest: datetime, pace: Pace) -> None:
    """Count and drop the detached tables, also those that a killed worker left."""
    for retired in RetiredPartition.objects.order_by("name"):
        if not retired.checked and not _check(retired, longest):
            continue
        while pace.may_go_on() and _finish_a_part(retired.name):
            pass


def _finish_a_part(name: str) -> bool:
    """Count the next rows, or drop the table. False: it is dropped, or somebody reads it (a backup does so for hours):
    the next run drops it."""
    try:
        with transaction.atomic():
            return _count_chunk(name)
    except OperationalError as error:
        if not _is_busy(error):
            raise
    log.info("partition is busy", action="drop", table=name)
    return False


def _check(retired: RetiredPartition, longest: datetime) -> bool:
    """Look once more, now that nobody can change the table. False: a row had come to life, and the table is attached
    again."""
    month = _month(retired.parent, retired.name)
    if not _is_held(_rules[retired.parent], month, longest):
        retired.checked = True
        retired.save(update_fields=["checked"])
        return True
    log.warning("partition kept", action="attach", table=month.name)
    try:
        is_attached = _attach(month)
    except DatabaseError as error:  # such as rows in the DEFAULT with ids of this month: other months go on
        log.error("partition not attached", action="attach", table=month.name, error=type(error).__name__)
        return False
    if not is_attached:
        log.error("partition is busy", action="attach", table=month.name)
    return False


def _attach(month: Month) -> bool:
    """Attach a detached month again. A checked constraint spares PostgreSQL the search through the month under the lock
    of its parent, for which claims wait."""
    low, high = bounds(month.first)
    table = f"ALTER TABLE {month.name}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        cursor.execute(f"{table} DROP CONSTRAINT IF EXISTS ids_of_month")
        cursor.execute(f"{table} ADD CONSTRAINT ids_of_month CHECK (id >= '{low}' AND id < '{high}') NOT VALID")
        cursor.execute(f"{table} VALIDATE CONSTRAINT ids_of_month")

    def attach() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"ALTER TABLE {month.parent} ATTACH PARTITION {month.name} FOR VALUES FROM ('{low}') TO ('{high}')"
            )
            cursor.execute(f"{table} DROP CONSTRAINT ids_of_month")
        RetiredPartition.objects.filter(pk=month.name).delete()

    return _with_short_lock(attach)


def _count_chunk(name: str) -> bool:
    """Count the next rows of a detached table; drop the table after the last ones. False: nothing is left to do."""
    retired = RetiredPartition.objects.select_for_update(skip_locked=True).filter(pk=name).first()
    if retired is None:
        return False
    rule = _rules[retired.parent]
    with connection.cursor() as cursor:
        last = None
        if rule.count is not None:
            cursor.execute(
                f"SELECT id FROM (SELECT id FROM {name} WHERE id > %s ORDER BY id LIMIT {CHUNK}) c"
                " ORDER BY id DESC LIMIT 1",
                [retired.counted],
            )
            last = cursor.fetchone()
        if last is None or rule.count is None:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            cursor.execute(f"DROP TABLE {name}")
            retired.delete()
            log.info("partition dropped", action="drop", table=name)
            return False
    rule.count(name, retired.counted, last[0])
    retired.counted = last[0]
    retired.save(update_fields=["counted"])
    return True
