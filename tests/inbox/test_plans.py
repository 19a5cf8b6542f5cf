"""Every list of a long inbox is read through an index, in all partitions."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inbox.store import changes, feed
from inbox.store.snoozes import wake_due
from tenants.models import Recipient
from tests.inbox.conftest import message, send

_MANY = """
INSERT INTO inbox_inboxmessage (id, tenant_id, recipient_id, seq, state, category, title, body, link, data, created_at)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '70008000'
        || lpad(to_hex(n), 12, '0'))::uuid,
       %s, CASE WHEN n %% 2 = 0 THEN %s::uuid ELSE %s::uuid END, n, n / 2 %% 4, 'news', 'Café ' || n, 'body', '', '{}',
       now()
FROM generate_series(10, 20000) n
"""


@pytest.fixture
def many(dora: Recipient, emil: Recipient) -> Recipient:
    """Dora's inbox, with ten thousand messages in four states."""
    send(message(dora))
    with connection.cursor() as cursor:
        cursor.execute(_MANY, [dora.tenant_id, dora.pk, emil.pk])
        cursor.execute("ANALYZE inbox_inboxmessage")
    return dora


def plans_of(queries: CaptureQueriesContext) -> list[str]:
    plans = []
    for query in list(queries.captured_queries):
        if "inbox_inboxmessage" in query["sql"]:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {query['sql']}")
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
    return plans


def reads_everything(plan: str) -> bool:
    """Whether a plan scans the partition of this month. PostgreSQL scans empty partitions, which have no page."""
    return f"Seq Scan on inbox_inboxmessage_{timezone.now():%Y_%m}" in plan


@pytest.mark.django_db
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"state": "unread"},
        {"state": "read"},
        {"state": "archived"},
        {"state": "snoozed"},
        {"category": "news"},
        {"q": "cafe 11"},
        {"state": "archived", "category": "news", "q": "cafe", "before_seq": 9_000},
    ],
    ids=str,
)
def test_every_filter_has_an_index(many: Recipient, filters: dict[str, Any]) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert feed.newest(many.pk, feed.Query(limit=10, **filters)).messages
    [plan] = plans_of(queries)
    assert reads_everything(plan) is False
    assert "recipient_id_state_seq" in plan


@pytest.mark.django_db
def test_changes_and_snoozes_that_are_due_have_indexes(many: Recipient) -> None:
    now = timezone.now()
    with CaptureQueriesContext(connection) as queries:
        feed.changed_since(many.pk, 5)
        feed.since(many.pk, 19_000)
        changes.read_up_to(many.pk, 100, now=now)
        wake_due(now)
    plans = plans_of(queries)
    assert len(plans) >= 4
    assert not [plan for plan in plans if reads_everything(plan)]


@pytest.mark.django_db
def test_a_search_compares_a_bounded_number_of_messages_and_goes_on(many: Recipient) -> None:
    send(message(many, "x"))
    found: list[int] = []
    before: int | None = None
    requests = 0
    while True:
        page = feed.newest(many.pk, feed.Query(q="CAFÉ 20", before_seq=before, limit=100))
        found += [m.seq for m in page.messages]
        requests += 1
        before = page.next_seq
        if before is None:
            break
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(seq ORDER BY seq DESC) FROM inbox_inboxmessage"
            " WHERE recipient_id = %s AND state < 2 AND title LIKE %s",
            [many.pk, "Caf_ %20%"],
        )
        assert found == cursor.fetchone()[0]
    assert requests > 2
