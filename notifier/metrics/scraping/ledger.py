"""Facts of the ledger: what waits, for how long, and whether the partitions are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import Metric

from notifier.channels import channels
from notifier.channels.queues import queue_of
from notifier.metrics.scraping.readers import MOST_COUNTED, gauge, rows, single
from notifier.models.partitions import PARTITIONED
from notifier.vocabulary.status import Lane, QueuePosition, Status

#: accounts with a backlog that a scrape visits
_MOST_ACCOUNTS = 1_000
#: rows that are read, not only counted in an index, for each channel
_MOST_READ = 10_000
_READY = f"d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.HAS_TURN}"
#: the end of the name of a month's partition
_MONTH = re.compile(r"(\d{4})_(\d{2})")
_LANES = ", ".join(str(int(lane)) for lane in Lane)

# Visits each channel and account with a backlog once, by the index of the claim, then each of its lanes with one probe,
# however long the backlog is: 0.1 ms an account
_OLDEST = f"""
WITH RECURSIVE backlog AS (
  (SELECT d.channel, d.account_id FROM notifier_delivery d WHERE {_READY} AND d.account_id IS NOT NULL
   ORDER BY d.channel, d.account_id LIMIT 1)
  UNION ALL
  SELECT n.channel, n.account_id FROM backlog b CROSS JOIN LATERAL (
    SELECT d.channel, d.account_id FROM notifier_delivery d
    WHERE {_READY} AND d.account_id IS NOT NULL AND (d.channel, d.account_id) > (b.channel, b.account_id)
    ORDER BY d.channel, d.account_id LIMIT 1) n
), accounts AS (SELECT channel, account_id FROM backlog LIMIT {_MOST_ACCOUNTS})
SELECT a.channel, l.lane, extract(epoch FROM statement_timestamp() - min(o.due_at))::float8
FROM accounts a CROSS JOIN unnest(ARRAY[{_LANES}]) l (lane) CROSS JOIN LATERAL (
  SELECT d.due_at FROM notifier_delivery d WHERE d.channel = a.channel AND d.account_id = a.account_id
  AND d.lane = l.lane AND {_READY} ORDER BY d.due_at LIMIT 1) o
WHERE o.due_at <= statement_timestamp() GROUP BY 1, 2
"""

# 0.2 µs a row of the index, so 20 ms for a channel with a large backlog
_DEPTH = f"""
SELECT c.channel, q.lane, q.rows FROM unnest(%s::text[]) c (channel) CROSS JOIN LATERAL (
  SELECT lane, count(*) AS rows FROM (
    SELECT d.lane FROM notifier_delivery d WHERE d.channel = c.channel AND {_READY}
    AND d.due_at <= statement_timestamp() LIMIT {MOST_COUNTED}) due
  GROUP BY lane) q
"""

# the index of rows in flight has a few hundred entries an account
_IN_FLIGHT = f"""
SELECT channel, lane, count(*) FROM (
  SELECT d.channel, d.lane FROM notifier_delivery d
  WHERE d.status IN ({Status.CLAIMED}, {Status.SENDING}) AND d.lease_until IS NOT NULL LIMIT {MOST_COUNTED}) f
GROUP BY 1, 2
"""

# retries wait for their turn to come (parked), or are due; the rows are read, therefore fewer
_RETRIES = f"""
SELECT channel, count(*) FROM (
  (SELECT d.channel, d.attempt FROM notifier_delivery d
   WHERE d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.PARKED} ORDER BY d.due_at LIMIT {_MOST_READ})
  UNION ALL
  (SELECT d.channel, d.attempt FROM unnest(%s::text[]) c (channel) CROSS JOIN LATERAL (
     SELECT * FROM notifier_delivery d WHERE d.channel = c.channel AND {_READY} LIMIT {_MOST_READ}) d)
) r WHERE attempt > 0 GROUP BY 1
"""

_PARKED = f"""
SELECT count(*) FROM (SELECT 1 FROM notifier_delivery d WHERE d.status = {Status.QUEUED}
  AND d.queue_position = {QueuePosition.PARKED} LIMIT {MOST_COUNTED}) p
"""
_WAITING = f"""
SELECT count(*), count(DISTINCT (recipient_id, channel, lane, mode)) FROM (
  SELECT d.recipient_id, d.channel, d.lane, d.mode FROM notifier_delivery d
  WHERE d.status = {Status.QUEUED} AND d.queue_position = {QueuePosition.WAITING} LIMIT {_MOST_READ}) w
"""
_DEAD_LETTERS = f"""
SELECT count(*) FROM (SELECT 1 FROM notifier_deadletter WHERE redriven_at IS NULL LIMIT {MOST_COUNTED}) l
"""
_RECEIPTS = f"SELECT count(*) FROM (SELECT 1 FROM notifier_receipt LIMIT {_MOST_READ}) r"

# the size of a table that was never written is 0; counting rows would need rights on the partition
_PARTITIONS = """
SELECT p.relname, c.relname, pg_relation_size(c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE p.relname = ANY(%s) AND p.relnamespace = 'public'::regnamespace
"""


def read_ledger() -> Iterator[Metric]:
    """Nine statements: 3 ms of an idle PostgreSQL, and 100 ms with 100,000 messages due in a channel."""
    names = sorted(channels())
    labels = ("queue", "lane")
    yield gauge("queue_due_messages", "Messages that are due", labels, _by_queue(rows(_DEPTH, [names])))
    yield gauge("queue_oldest_due_seconds", "Age of the oldest due message", labels, _by_queue(rows(_OLDEST)))
    yield gauge("queue_in_flight_messages", "Messages that a worker holds", labels, _by_queue(rows(_IN_FLIGHT)))
    retries = dict(rows(_RETRIES, [names]))
    yield gauge("retries_waiting", "Messages that wait for another attempt", ("channel",), _each(names, retries))
    yield single("parked_messages", "Messages that wait for a later time", rows(_PARKED)[0][0])
    [(waiting, lines)] = rows(_WAITING)
    yield single("ordering_queue_waiting_messages", "Messages behind another one of their recipient", waiting)
    yield single("ordering_queues_waiting", "Ordering queues in which a message waits behind another one", lines)
    yield single("dead_letters", "Dead letters that nobody has sent again", rows(_DEAD_LETTERS)[0][0])
    yield single("receipts_waiting", "Calls of providers that are stored and not read", rows(_RECEIPTS)[0][0])
    yield from _partitions(rows(_PARTITIONS, [list(PARTITIONED)]), datetime.now(UTC))


def _each(names: list[str], found: dict[str, int]) -> list[tuple[str, int]]:
    """A value for each name: an alert must not miss a series that is not there."""
    return [(name, found.get(name, 0)) for name in names]


def _by_queue(found: list[tuple[str, int, float]]) -> list[tuple[str, str, float]]:
    """A value for each queue and lane, 0 where nothing was found."""
    values = {(channel, lane): value for channel, lane, value in found}
    return [
        (queue_of(channel, lane), lane.name.lower(), values.get((channel, int(lane)), 0))
        for channel in sorted(channels())
        for lane in Lane
    ]


def _partitions(found: list[tuple[str, str, int]], now: datetime) -> Iterator[Metric]:
    this_month = now.year * 12 + now.month
    ahead = dict.fromkeys(PARTITIONED, -1)
    default = dict.fromkeys(PARTITIONED, 0)
    for table, partition, size in found:
        suffix = partition.removeprefix(f"{table}_")
        if suffix == "default":
            default[table] = size
        elif month := _MONTH.fullmatch(suffix):
            ahead[table] = max(ahead[table], int(month[1]) * 12 + int(month[2]) - this_month)
    meaning = "Months after this one that have a partition"
    yield gauge("partition_months_ahead", meaning, ("table",), ahead.items())
    yield gauge("partition_default_bytes", "Size of the DEFAULT partition", ("table",), default.items())
