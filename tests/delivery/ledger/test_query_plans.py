"""A process that sends plans its statements once, not for each array that it gives them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection

from notifier.delivery.infra import bulk
from notifier.delivery.ledger import claims
from notifier.delivery.send import deliver
from notifier.vocabulary.ids import id_floor
from notifier.vocabulary.status import Lane
from tests.delivery.build import Shop, an_order

pytestmark = pytest.mark.django_db(transaction=True)


def test_statements_that_send_are_planned_once_for_each_connection(shop: Shop) -> None:
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


@pytest.mark.parametrize("analyzed", [True, False])
def test_a_claim_reads_no_more_rows_than_it_takes(shop: Shop, analyzed: bool) -> None:
    connection.close()
    bulk.plan_once()
    claims.claim("in_app", [Lane.TRANSACTIONAL], 10)  # planned while the table is empty
    shop.accept(*[an_order(shop.recipient(f"r{n}").external_id) for n in range(1_000)])
    with connection.cursor() as cursor:
        if analyzed:
            cursor.execute("ANALYZE notifier_delivery")
        assert len(claims.claim("in_app", [Lane.TRANSACTIONAL], 10)) == 10
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%%RECURSIVE backlog%%' LIMIT 1")
        [name] = cursor.fetchone()
        end = id_floor(int(time.time() * 1000) + 1_000_000)
        cursor.execute(
            f"""EXPLAIN (ANALYZE, FORMAT JSON)
            EXECUTE "{name}" ('in_app', '{end}', ARRAY[1]::smallint[], '{{}}', 10, 30, 0, 20)"""
        )
        [[plan]] = cursor.fetchone()
    # ten rows, looked for in each partition, of which other tests may have made more; the backlog has a thousand
    assert most_rows(plan["Plan"]) < 500


def most_rows(node: dict[str, Any]) -> float:
    """Of all steps of a plan, rows that one produced."""
    return max([float(node["Actual Rows"] * node["Actual Loops"]), *map(most_rows, node.get("Plans", ()))])
