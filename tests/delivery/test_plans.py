"""A process that sends plans its statements once, not for each array that it gives them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from notifier.delivery import bulk, store
from notifier.delivery.send import deliver
from notifier.vocabulary import Lane
from tests.delivery.build import Shop, an_order

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_sends_is_planned_once_for_each_connection(shop: Shop) -> None:
    connection.close()
    for _ in range(2):
        shop.accept(an_order())
        deliver("in_app", [Lane.TRANSACTIONAL])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, generic_plans, custom_plans FROM pg_prepared_statements"
            " WHERE statement LIKE '%%UPDATE notifier_delivery d%%'"
        )
        plans = cursor.fetchall()
    assert len(plans) >= 2  # claim and settle
    assert all(generic >= 2 and not custom for _, generic, custom in plans)


def test_a_claim_reads_no_more_than_it_takes_however_many_wait(shop: Shop) -> None:
    """Planned once, while the ledger was empty, and then a backlog: that plan must not read it."""
    connection.close()
    bulk.plan_once()
    assert not store.claim("in_app", [Lane.TRANSACTIONAL], 10)
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%%RECURSIVE backlog%%' LIMIT 1")
        [name] = cursor.fetchone()
        shop.accept(*[an_order(shop.recipient(f"r{n}").external_id) for n in range(300)])
        cursor.execute(
            f"""EXPLAIN (ANALYZE, FORMAT JSON)
            EXECUTE "{name}" ('in_app', ARRAY[1]::smallint[], '{{}}', 10, 30, 0, 20)"""
        )
        [[plan]] = cursor.fetchone()
    assert most_rows(plan["Plan"]) <= 20


def most_rows(node: dict[str, Any]) -> float:
    """Of all steps of a plan, rows that one produced."""
    return max([float(node["Actual Rows"] * node["Actual Loops"]), *map(most_rows, node.get("Plans", ()))])
