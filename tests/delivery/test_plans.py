"""A process that sends plans its statements once, not for each array that it gives them."""

from __future__ import annotations

import pytest
from django.db import connection

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
